#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "Sward_Fnv1a.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// Ranks hold different selections of the same matrix; the text names the matrix.
class SelectionError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Hash of the row numbers of a selection; waits for `space`.
template <class ExecutionSpace>
std::uint64_t selection_hash(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection) {
  space.fence("Sward::selection_hash");
  const auto rows = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, selection.rows);
  return fnv1a(bytes_of(rows.data(), rows.extent(0)));
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
