#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_TeamChunks.hpp"

namespace Sward {

/// One team for a whole vector, for passes over it that depend on each other. A launch costs more than such a pass.
template <class ExecutionSpace>
auto single_team_policy(const ExecutionSpace& space) {
  constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 16;
  constexpr int lanes = vector_lanes<ExecutionSpace>;
  return Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<threads * lanes, 1>>(space, 1, threads, lanes);
}

/// Calls use(k, sum of value(j) over j < k, value(k)) for k from 0 to count - 1. Values are integers, whose sums do not
/// depend on an order; `totals` has one for each thread of the team. Called by the whole team.
template <class Team, class Totals, class Value, class Use>
KOKKOS_INLINE_FUNCTION void team_scan(const Team& team, int count, const Totals& totals, const Value& value,
                                      const Use& use) {
  using Sum = typename Totals::non_const_value_type;
  const int threads = team.team_size();
  const int share = (count + threads - 1) / threads;
  const auto share_of = [&](const int thread) {
    const int left = count - thread * share;
    return left < 0 ? 0 : (left < share ? left : share);
  };
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, threads), [&](const int thread) {
    Sum total = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, share_of(thread)),
        [&](const int i, Sum& sum) { sum += value(thread * share + i); }, total);
    Kokkos::single(Kokkos::PerThread(team), [&] { totals(thread) = total; });
  });
  team.team_barrier();
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, threads), [&](const int thread) {
    Sum before = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, thread), [&](const int i, Sum& sum) { sum += totals(i); }, before);
    Kokkos::parallel_scan(Kokkos::ThreadVectorRange(team, share_of(thread)),
                          [&](const int i, Sum& sum, const bool is_final) {
                            const int k = thread * share + i;
                            const Sum here = value(k);
                            if (is_final) use(k, before + sum, here);
                            sum += here;
                          });
  });
}

}  // namespace Sward
