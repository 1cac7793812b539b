#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// target(rows(i), :) = source(i, :). source is r x n, rows has r elements, each once, and target is m x n; its other
/// rows stay. Asynchronous on `space`. Throws ExtentError when the extents do not fit together.
template <class ExecutionSpace, class Source, class Rows, class Target>
SWARD_FILE_LOCAL void scatter_rows(const ExecutionSpace& space, const Source& source, const Rows& rows,
                                   const Target& target) {
  static_assert(are_inputs<ExecutionSpace, Source>() && is_number_list<ExecutionSpace, Rows>() &&
                are_outputs<ExecutionSpace, Target>());
  static_assert(Source::rank() == 2 && Rows::rank() == 1 && Target::rank() == 2,
                "Sward::scatter_rows: source and target must be matrices, rows a vector");
  const char* const function = "Sward::scatter_rows";
  require_extents(function, "source", {source.extent(0), source.extent(1)}, {rows.extent(0), target.extent(1)});
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  const int columns = static_cast<int>(target.extent(1));
  Kokkos::parallel_for(
      function, row_policy(space, static_cast<int>(rows.extent(0))),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int i = team.league_rank();
        const int row = rows(i);
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, columns),
                             [&](const int j) { target(row, j) = source(i, j); });
      });
}

}  // namespace Sward
