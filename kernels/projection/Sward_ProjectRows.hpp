#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_CopyRows.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_Operands.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// compressed = B G, or G Bᵀ for columns: the selected rows (columns) of an m x n matrix, without ρ. r x n, or m x r.
/// Asynchronous on `space`. Throws ExtentError when the extents do not fit together.
template <class ExecutionSpace, class Values, class Compressed>
SWARD_FILE_LOCAL void project_rows(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
                                   const Values& values, const Compressed& compressed) {
  static_assert(are_inputs<ExecutionSpace, Values>() && are_outputs<ExecutionSpace, Compressed>());
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
  copy_rows(
      function, space, values, KOKKOS_LAMBDA(const int slot) { return rows(slot); }, compressed);
}

}  // namespace Sward
