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
  team_scan(
      team, selection.extent, totals,
      [&](const int k) {
        const std::uint64_t leading = cut.leading_of(keys(k));
        return leading > cut.leading ? std::uint64_t(1) << half : std::uint64_t(leading == cut.leading ? 1 : 0);
      },
      [&](const int k, const std::uint64_t before) {
        const std::uint64_t leading = cut.leading_of(keys(k));
        const int above = static_cast<int>(before >> half);
        const int ties = static_cast<int>(before & 0xffffffffU);
        if (leading < cut.leading || (leading == cut.leading && ties >= cut.ties)) return;
        const int slot = above + (ties < cut.ties ? ties : cut.ties);
        selection.rows(slot) = k;
        selection.scale(slot) = 1.0F;
      });
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
  policy.set_scratch_size(0, Kokkos::PerTeam(CutScratch<ExecutionSpace>::bytes() + Totals::shmem_size(threads)));
  const auto keys = workspace.keys;
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const CutScratch<ExecutionSpace> scratch(team);
        const Totals totals(team.team_scratch(0), threads);
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, selection.extent),
                             [&](const int k) { keys(k) = ordered_bits(key_of(k)); });
        team.team_barrier();
        write_selected(team, keys, find_cut(team, keys, selection.rank(), scratch), totals, selection);
      });
}

}  // namespace Sward
