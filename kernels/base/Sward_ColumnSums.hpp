#pragma once

#include <Kokkos_Core.hpp>
#include <string>

#include "Sward_FileLocal.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Calls store(j, sum over i < rows of term(i, j)) for all j < columns. term gives doubles; the order of each sum is
/// fixed, so results do not depend on the number of threads. Asynchronous on `space`.
///
/// A team takes `width * lanes` columns and deals the rows to `groups`; a thread has `lanes` columns of one group.
/// Hosts vectorize over the lanes, GPUs read neighbouring columns with neighbouring threads.
template <class ExecutionSpace, class Term, class Store>
SWARD_FILE_LOCAL void column_sums(const std::string& label, const ExecutionSpace& space, int rows, int columns,
                                  const Term& term, const Store& store) {
  constexpr bool host = runs_on_host<ExecutionSpace>;
  constexpr int lanes = host ? 32 : 1;
  constexpr int width = host ? 1 : 32;
  constexpr int groups = host ? 1 : 32;
  constexpr int share = width * lanes;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<width * groups, 1>>;
  using Partial = Kokkos::View<double**, Kokkos::LayoutRight, typename ExecutionSpace::scratch_memory_space,
                               Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  Policy policy(space, (columns + share - 1) / share, width * groups);
  policy.set_scratch_size(0, Kokkos::PerTeam(Partial::shmem_size(groups, share)));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const Partial partial(team.team_scratch(0), groups, share);
        const int first = team.league_rank() * share;
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, width * groups), [&](const int thread) {
          const int group = thread / width;
          const int offset = thread % width * lanes;
          const int begin = first + offset;
          double sum[lanes] = {};
          if (begin + lanes <= columns) {
            for (int row = group; row < rows; row += groups)
              for (int lane = 0; lane < lanes; ++lane) sum[lane] += term(row, begin + lane);
          } else {
            for (int row = group; row < rows; row += groups)
              for (int j = begin; j < columns; ++j) sum[j - begin] += term(row, j);
          }
          for (int lane = 0; lane < lanes; ++lane) partial(group, offset + lane) = sum[lane];
        });
        team.team_barrier();
        const int mine = columns - first < share ? columns - first : share;
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, mine), [&](const int column) {
          double sum = 0;
          for (int group = 0; group < groups; ++group) sum += partial(group, column);
          store(first + column, sum);
        });
      });
}

}  // namespace Sward
