#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// gather_columns where a thread has its columns in several rows, whose loads it starts together; neighbouring threads
/// have neighbouring columns, so that what they read and write lies close together.
template <class ExecutionSpace, class Columns, class Source, class Target>
SWARD_FILE_LOCAL void gather_columns_of_rows(const char* label, const ExecutionSpace& space, const Columns& columns,
                                             const Source& source, const Target& target) {
  using Scalar = typename Target::non_const_value_type;
  constexpr int depth = 8;
  constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 256;
  const int rows = static_cast<int>(source.extent(0));
  const int count = static_cast<int>(columns.extent(0));
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  Kokkos::parallel_for(
      label, Policy(space, (rows + depth - 1) / depth, threads),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int first = team.league_rank() * depth;
        const int mine = rows - first < depth ? rows - first : depth;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, count), [&](const int s) {
          const int column = columns(s);
          Scalar values[depth] = {};
          SWARD_UNROLL
          for (int i = 0; i < depth; ++i)
            if (i < mine) values[i] = static_cast<Scalar>(source(first + i, column));
          SWARD_UNROLL
          for (int i = 0; i < depth; ++i)
            if (i < mine) target(first + i, s) = values[i];
        });
      });
}

/// target(i, s) = source(i, columns(s)). Asynchronous on `space`. Throws ExtentError, which names the label.
template <class ExecutionSpace, class Columns, class Source, class Target>
SWARD_FILE_LOCAL void gather_columns(const char* label, const ExecutionSpace& space, const Columns& columns,
                                     const Source& source, const Target& target) {
  static_assert(is_number_list<ExecutionSpace, Columns>() && are_inputs<ExecutionSpace, Source>() &&
                are_outputs<ExecutionSpace, Target>());
  require_extents(label, "the gathered columns", {target.extent(0), target.extent(1)},
                  {source.extent(0), columns.extent(0)});
  if constexpr (!runs_on_host<ExecutionSpace>) {
    gather_columns_of_rows(label, space, columns, source, target);
  } else {
    const int count = static_cast<int>(columns.extent(0));
    using Scalar = typename Target::non_const_value_type;
    using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
    Kokkos::parallel_for(
        label, row_policy(space, static_cast<int>(source.extent(0))), KOKKOS_LAMBDA(const Member& team) {
          const int row = team.league_rank();
          for_each_chunk(team, count, [&](const int begin, const int end) {
            SWARD_INDEPENDENT_ITERATIONS
            for (int s = begin; s < end; ++s) target(row, s) = static_cast<Scalar>(source(row, columns(s)));
          });
        });
  }
}

}  // namespace Sward
