#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_TeamChunks.hpp"

namespace Sward {

/// target(i, s) = source(i, columns(s)). Asynchronous on `space`.
template <class ExecutionSpace, class Columns, class Source, class Target>
void gather_columns(const char* label, const ExecutionSpace& space, const Columns& columns, const Source& source,
                    const Target& target) {
  const int count = static_cast<int>(columns.extent(0));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, row_policy(space, static_cast<int>(source.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_chunk(team, count, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int s = begin; s < end; ++s) target(row, s) = source(row, columns(s));
        });
      });
}

}  // namespace Sward
