#pragma once

#include <Kokkos_Core.hpp>
#include <string>

#include "Sward_RowSelection.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// order(k) = the number of keys that come before key k: larger ones, and equal ones with a lower index.
///
/// Counting compares all pairs, but needs no sort, no memory and no synchronisation, and the dimension selected from is
/// the smaller one of a weight: 2,048 keys are 4 million comparisons.
template <class ExecutionSpace, class Keys, class Order>
void rank_keys(const std::string& label, const ExecutionSpace& space, const Keys& keys, const Order& order) {
  const int count = static_cast<int>(keys.extent(0));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, row_policy(space, count), KOKKOS_LAMBDA(const Member& team) {
        const int k = team.league_rank();
        const auto key = keys(k);
        int before = 0;
        Kokkos::parallel_reduce(
            Kokkos::TeamVectorRange(team, count),
            [&](const int j, int& sum) { sum += (keys(j) > key || (keys(j) == key && j < k)) ? 1 : 0; }, before);
        Kokkos::single(Kokkos::PerTeam(team), [&] { order(k) = before; });
      });
}

/// One team for a whole vector, for passes over it that depend on each other. A launch costs more than such a pass.
template <class ExecutionSpace>
Kokkos::TeamPolicy<ExecutionSpace> single_team_policy(const ExecutionSpace& space) {
  return Kokkos::TeamPolicy<ExecutionSpace>(space, 1, runs_on_host<ExecutionSpace> ? 1 : 512);
}

/// Selects the r rows with the largest workspace.keys, in ascending order of the row, with scale 1.
template <class ExecutionSpace>
void select_largest_keys(const std::string& label, const ExecutionSpace& space,
                         const SelectionWorkspace<ExecutionSpace>& workspace,
                         const RowSelection<ExecutionSpace>& selection) {
  rank_keys(label, space, workspace.keys, workspace.order);
  const int extent = selection.extent;
  const int rank = selection.rank();
  const auto order = workspace.order;
  const auto rows = selection.rows;
  const auto scale = selection.scale;
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, single_team_policy(space), KOKKOS_LAMBDA(const Member& team) {
        Kokkos::parallel_scan(Kokkos::TeamThreadRange(team, extent), [&](const int k, int& slot, const bool is_final) {
          if (order(k) >= rank) return;
          if (is_final) {
            rows(slot) = k;
            scale(slot) = 1.0F;
          }
          ++slot;
        });
      });
}

}  // namespace Sward
