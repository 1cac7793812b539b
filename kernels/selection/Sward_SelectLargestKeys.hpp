#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_FileLocal.hpp"
#include "Sward_KeyCut.hpp"
#include "Sward_KeyMemory.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SingleTeam.hpp"
#include "Sward_TeamScan.hpp"

namespace Sward {

/// Writes the rows of the keys that a cut selects in ascending order, with scale 1. Called by the whole team.
template <class Team, class Keys, class Scratch, class ExecutionSpace>
KOKKOS_INLINE_FUNCTION void write_selected(const Team& team, const Keys& keys, const KeyCut& cut,
                                           const Scratch& scratch, const RowSelection<ExecutionSpace>& selection) {
  // Both counts are summed at once: keys above the cut in the upper half, and ties in the lower.
  constexpr int half = 32;
  constexpr std::uint64_t key_above = std::uint64_t(1) << half, tie = 1;
  team_scan(
      team, selection.extent, scratch,
      [&](const int k) {
        const std::uint64_t key = keys(k);
        return key > cut.last ? key_above : (key >= cut.first ? tie : 0);
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

/// Writes the bits of key_of(row) of all rows, and returns a range that they are in: of their upper halves, which take
/// half as long to exchange. Called by the whole team, which needs a barrier then.
template <class Team, class Keys, class KeyOf>
KOKKOS_INLINE_FUNCTION KeyRange make_keys(const Team& team, const Keys& keys, const KeyOf& key_of) {
  using UpperHalves = Kokkos::MinMaxScalar<std::uint32_t>;
  const Batches<typename Team::execution_space> batches{static_cast<int>(keys.extent(0))};
  UpperHalves range;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, batches.count()),
      [&](const int batch, UpperHalves& joined) {
        batches.for_each(
            batch, [&](const int k) { return ordered_bits(key_of(k)); },
            [&](const int k, const std::uint64_t key) {
              const auto upper = static_cast<std::uint32_t>(key >> 32);
              if (upper < joined.min_val) joined.min_val = upper;
              if (upper > joined.max_val) joined.max_val = upper;
              keys(k) = key;
            });
      },
      Kokkos::MinMax<std::uint32_t>(range));
  return {std::uint64_t(range.min_val) << 32, (std::uint64_t(range.max_val) << 32) + 0xffffffffU};
}

/// Selects the r rows with the largest key_of(row), doubles and never NaN, in ascending order of the row, with scale 1;
/// ties go to the lower row. All in one launch: a radix search for the least key that is selected, and a sum over rows
/// for the slots.
template <class ExecutionSpace, class KeyOf>
SWARD_FILE_LOCAL void select_largest_keys(const char* label, const ExecutionSpace& space,
                                          const SelectionWorkspace<ExecutionSpace>& workspace,
                                          const RowSelection<ExecutionSpace>& selection, const KeyOf& key_of) {
  using Sums = ScanScratch<ExecutionSpace, std::uint64_t>;
  auto policy = single_team_policy(space);
  using Policy = decltype(policy);
  const KeyMemory<ExecutionSpace> memory{workspace.keys};
  const std::size_t bytes = CutScratch<ExecutionSpace>::bytes() + Sums::bytes(policy.team_size()) + memory.bytes();
  policy.set_scratch_size(0, Kokkos::PerTeam(bytes));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const CutScratch<ExecutionSpace> scratch(team);
        const Sums sums(team);
        const auto keys = memory.of(team);
        team_clear(team, scratch.counts.list);
        const KeyRange range = make_keys(team, keys, key_of);
        team.team_barrier();
        write_selected(team, keys, find_cut(team, keys, range, selection.rank(), scratch), sums, selection);
      });
}

}  // namespace Sward
