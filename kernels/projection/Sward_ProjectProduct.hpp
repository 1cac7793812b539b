#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_Operands.hpp"
#include "Sward_ProjectGathered.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// The selected rows (columns) of G = dYᵀX straight from its factors, without ρ; G itself never exists:
///   rows:     gradient = beta gradient + dY[:, rows]ᵀ X,   r x n
///   columns:  gradient = beta gradient + dYᵀ X[:, rows],   m x r
/// output_gradient (dY) is b x m, input (X) b x n; `gathered` is workspace, b x r. That is r b n (or m b r)
/// multiply-adds where the whole gradient takes m b n. Asynchronous on `space`. Throws ExtentError when the extents do
/// not fit. Source: Muhamed et al., "Grass", arXiv 2406.17660.
template <class ExecutionSpace, class OutputGradient, class Input, class Gathered, class Gradient>
void project_product(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
                     const OutputGradient& output_gradient, const Input& input, const Gathered& gathered,
                     RealOf<Gradient> beta, const Gradient& gradient) {
  static_assert(are_inputs<ExecutionSpace, OutputGradient, Input>() &&
                are_outputs<ExecutionSpace, Gathered, Gradient>());
  static_assert(OutputGradient::rank() == 2 && Input::rank() == 2 && Gathered::rank() == 2 && Gradient::rank() == 2,
                "Sward::project_product: the operands must be matrices");
  const char* const function = "Sward::project_product";
  const bool by_rows = selection.side == Side::rows;
  require_extents(function, "input", {input.extent(0)}, {output_gradient.extent(0)});
  require_extents(function, "the selected factor", {by_rows ? output_gradient.extent(1) : input.extent(1)},
                  {static_cast<std::size_t>(selection.extent)});
  require_extents(function, "gathered", {gathered.extent(0), gathered.extent(1)},
                  {input.extent(0), selection.rows.extent(0)});
  require_extents(
      function, "gradient", {gradient.extent(0), gradient.extent(1)},
      {by_rows ? gathered.extent(1) : output_gradient.extent(1), by_rows ? input.extent(1) : gathered.extent(1)});
  if (by_rows) {
    gather_columns(function, space, selection.rows, output_gradient, gathered);
    project_gathered(space, selection.side, gathered, input, beta, gradient);
  } else {
    gather_columns(function, space, selection.rows, input, gathered);
    project_gathered(space, selection.side, gathered, output_gradient, beta, gradient);
  }
}

}  // namespace Sward
