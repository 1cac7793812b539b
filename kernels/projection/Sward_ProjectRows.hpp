#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// compressed = B G, or G Bᵀ for columns: the selected rows (columns) of an m x n matrix, without ρ. r x n, or m x r.
/// Asynchronous on `space`. Throws ExtentError when the extents do not fit together.
template <class ExecutionSpace, class Values, class Compressed>
void project_rows(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection, const Values& values,
                  const Compressed& compressed) {
  static_assert(Values::rank() == 2 && Compressed::rank() == 2, "Sward::project_rows: the operands must be matrices");
  const char* const function = "Sward::project_rows";
  const bool by_rows = selection.side == Side::rows;
  const std::size_t rank = selection.rows.extent(0);
  require_extents(function, "the selected side of values", {values.extent(by_rows ? 0 : 1)},
                  {static_cast<std::size_t>(selection.extent)});
  require_extents(function, "compressed", {compressed.extent(0), compressed.extent(1)},
                  {by_rows ? rank : values.extent(0), by_rows ? values.extent(1) : rank});
  if (!by_rows) return gather_columns(function, space, selection.rows, values, compressed);
  const auto rows = selection.rows;
  const int columns = static_cast<int>(values.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, row_policy(space, selection.rank()), KOKKOS_LAMBDA(const Member& team) {
        const int slot = team.league_rank();
        const int row = rows(slot);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          for (int j = begin; j < end; ++j) compressed(slot, j) = values(row, j);
        });
      });
}

}  // namespace Sward
