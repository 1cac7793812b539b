#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "Sward_ProcessGroup.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// Ranks hold different selections of the same matrix; the text names the matrix.
class SelectionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// FNV-1a over the row numbers of a selection; waits for `space`.
template <class ExecutionSpace>
std::uint64_t selection_hash(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection) {
  space.fence("Sward::selection_hash");
  const auto rows = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, selection.rows);
  std::uint64_t hash = 14695981039346656037ULL;
  for (std::size_t slot = 0; slot < rows.extent(0); ++slot)
    hash = (hash ^ static_cast<std::uint64_t>(rows(slot))) * 1099511628211ULL;
  return hash;
}

/// Throws SelectionError on every rank unless all ranks hold the same rows. A check for debug builds: it waits.
template <class ExecutionSpace>
void check_same_selection(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
                          const std::string& matrix, const ProcessGroup& communicator) {
  const std::uint64_t hash = selection_hash(space, selection);
  if (communicator.minimum(hash) != communicator.maximum(hash))
    throw SelectionError("ranks selected different rows of " + matrix);
}

}  // namespace Sward
