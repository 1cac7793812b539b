#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_SingleTeam.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Scratch of team_scan: a sum for each lane of a team, and one for each thread.
template <class ExecutionSpace, class Sum>
struct ScanScratch {
  using List = ScratchVector<ExecutionSpace, Sum>;
  static constexpr int lanes = vector_lanes<ExecutionSpace>;

  List before_lane;  ///< of the lanes of a thread that come before
  List of_thread;

  template <class Team>
  KOKKOS_INLINE_FUNCTION explicit ScanScratch(const Team& team)
      : before_lane(team.team_scratch(0), team.team_size() * lanes),
        of_thread(team.team_scratch(0), team.team_size()) {}
  /// Of scratch that a team of so many threads needs.
  static std::size_t bytes(int threads) {
    return List::shmem_size(static_cast<std::size_t>(threads * lanes)) +
           List::shmem_size(static_cast<std::size_t>(threads));
  }
};

/// Calls use(k, sum of value(j) over j < k, value(k)) for k from 0 to count - 1. Values are integers, whose sums do not
/// depend on an order. What value(k) reads may be overwritten by use(k). Called by the whole team.
template <class Team, class Scratch, class Value, class Use>
KOKKOS_INLINE_FUNCTION void team_scan(const Team& team, int count, const Scratch& scratch, const Value& value,
                                      const Use& use) {
  using Sum = typename Scratch::List::non_const_value_type;
  constexpr int lanes = Scratch::lanes;
  const int threads = team.team_size();
  // Neighbours for each lane, an odd number of them so that lanes meet in no bank of scratch memory.
  const int share = (count + threads * lanes - 1) / (threads * lanes) | 1;
  const auto end_of = [&](const int lane) { return (lane + 1) * share < count ? (lane + 1) * share : count; };
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, threads), [&](const int thread) {
    const int first = thread * lanes;
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int i) {
      Sum sum = 0;
      for (int k = (first + i) * share; k < end_of(first + i); ++k) sum += value(k);
      scratch.before_lane(first + i) = sum;
    });
    Sum total = 0;
    Kokkos::parallel_scan(
        Kokkos::ThreadVectorRange(team, lanes),
        [&](const int i, Sum& sum, const bool is_final) {
          const Sum here = scratch.before_lane(first + i);
          if (is_final) scratch.before_lane(first + i) = sum;
          sum += here;
        },
        total);
    Kokkos::single(Kokkos::PerThread(team), [&] { scratch.of_thread(thread) = total; });
  });
  team.team_barrier();
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, threads * lanes), [&](const int lane) {
    Sum sum = scratch.before_lane(lane);
    for (int thread = 0; thread < lane / lanes; ++thread) sum += scratch.of_thread(thread);
    for (int k = lane * share; k < end_of(lane); ++k) {
      const Sum here = value(k);
      use(k, sum, here);
      sum += here;
    }
  });
}

}  // namespace Sward
