#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>

#include "Sward_RowSelection.hpp"
#include "Sward_SingleTeam.hpp"

namespace Sward {

/// Where a team keeps its keys. Each of its passes waits for that memory, so they are in scratch if they fit, and only
/// otherwise in the workspace.
template <class ExecutionSpace>
struct KeyMemory {
  using Keys = typename SelectionWorkspace<ExecutionSpace>::template List<std::uint64_t>;
  using Scratch = ScratchVector<ExecutionSpace, std::uint64_t>;
  static constexpr std::size_t most_in_scratch = 4096;  // a GPU gives 48 KiB without being asked

  Keys beyond_scratch;

  KOKKOS_FUNCTION bool in_scratch() const { return beyond_scratch.extent(0) <= most_in_scratch; }
  /// Of scratch that a team needs.
  std::size_t bytes() const { return in_scratch() ? Scratch::shmem_size(beyond_scratch.extent(0)) : 0; }
  template <class Team>
  KOKKOS_INLINE_FUNCTION Keys of(const Team& team) const {
    if (!in_scratch()) return beyond_scratch;
    return Keys(Scratch(team.team_scratch(0), beyond_scratch.extent(0)).data(), beyond_scratch.extent(0));
  }
};

}  // namespace Sward
