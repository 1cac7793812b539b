#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_FileLocal.hpp"
#include "Sward_KeyCut.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_TeamScan.hpp"

namespace Sward {

/// Writes the rows of the keys that a cut selects in ascending order, with scale 1. Called by the whole team.
template <class Team, class Keys, class Totals, class ExecutionSpace>
KOKKOS_INLINE_FUNCTION void write_selected(const Team& team, const Keys& keys, const KeyCut& cut, const Totals& totals,
                                           const RowSelection<ExecutionSpace>& selection) {
  // Both counts are summed at once: keys above the cut in the upper half, and ties in the lower.
  constexpr int half = 32;
  constexpr std::uint64_t key_above = std::uint64_t(1) << half, tie = 1;
  team_scan(
      team, selection.extent, totals,
      [&](const int k) {
        const std::uint64_t leading = cut.leading_of(keys(k));
        return leading > cut.leading ? key_above : (leading == cut.leading ? tie : 0);
      },
      [&](const int k, const std::uint64_t before, const std::uint64_t here) {
        const int above = static_cast<int>(before >> half);
        const int ties = static_cast<int>(before & 0xffffffffU);
        if (here == 0 || (here == tie && ties >= cut.ties)) return;
        const int slot = above + (ties < cut.ties ? ties : cut.ties);
        selection.rows(slot) = k;
        selection.scale(slot) = 1.0F;
      });
}

/// Where a team keeps its keys. Each of its passes waits for that memory, so they are in scratch if they fit, and only
/// otherwise in the workspace.
template <class ExecutionSpace>
struct KeyMemory {
  using Keys = typename SelectionWorkspace<ExecutionSpace>::template List<std::uint64_t>;
  using Scratch = Kokkos::View<std::uint64_t*, typename ExecutionSpace::scratch_memory_space,
                               Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
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

/// Writes the bits of key_of(row) of all rows, and returns the least and the largest. Called by the whole team, which
/// needs a barrier then.
template <class Team, class Keys, class KeyOf>
KOKKOS_INLINE_FUNCTION KeyRange make_keys(const Team& team, const Keys& keys, const KeyOf& key_of) {
  KeyRange range;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, static_cast<int>(keys.extent(0))),
      [&](const int k, KeyRange& joined) {
        const std::uint64_t key = ordered_bits(key_of(k));
        if (key < joined.min_val) joined.min_val = key;
        if (key > joined.max_val) joined.max_val = key;
        keys(k) = key;
      },
      Kokkos::MinMax<std::uint64_t>(range));
  return range;
}

/// Selects the r rows with the largest key_of(row), doubles and never NaN, in ascending order of the row, with scale 1;
/// ties go to the lower row. All in one launch: a radix search for the least key that is selected, and a sum over rows
/// for the slots.
template <class ExecutionSpace, class KeyOf>
SWARD_FILE_LOCAL void select_largest_keys(const char* label, const ExecutionSpace& space,
                                          const SelectionWorkspace<ExecutionSpace>& workspace,
                                          const RowSelection<ExecutionSpace>& selection, const KeyOf& key_of) {
  using Totals = Kokkos::View<std::uint64_t*, typename ExecutionSpace::scratch_memory_space,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  auto policy = single_team_policy(space);
  using Policy = decltype(policy);
  const auto threads = static_cast<std::size_t>(policy.team_size());
  const KeyMemory<ExecutionSpace> memory{workspace.keys};
  const std::size_t bytes = CutScratch<ExecutionSpace>::bytes() + Totals::shmem_size(threads) + memory.bytes();
  policy.set_scratch_size(0, Kokkos::PerTeam(bytes));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const CutScratch<ExecutionSpace> scratch(team);
        const Totals totals(team.team_scratch(0), threads);
        const auto keys = memory.of(team);
        scratch.clear(team, 0);
        const KeyRange range = make_keys(team, keys, key_of);
        team.team_barrier();
        write_selected(team, keys, find_cut(team, keys, range, selection.rank(), scratch), totals, selection);
      });
}

}  // namespace Sward
