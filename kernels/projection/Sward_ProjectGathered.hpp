#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_Operands.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// project_product for which the selected columns of one factor are there already:
///   rows:     gradient = beta gradient + gatheredᵀ other,   gathered = dY[:, rows], other = X
///   columns:  gradient = beta gradient + otherᵀ gathered,   gathered = X[:, rows], other = dY
/// Asynchronous on `space`. Throws ExtentError when the extents do not fit.
template <class ExecutionSpace, class Gathered, class Other, class Gradient>
void project_gathered(const ExecutionSpace& space, Side side, const Gathered& gathered, const Other& other,
                      RealOf<Gradient> beta, const Gradient& gradient) {
  static_assert(are_inputs<ExecutionSpace, Gathered, Other>() && are_outputs<ExecutionSpace, Gradient>());
  static_assert(Gathered::rank() == 2 && Other::rank() == 2 && Gradient::rank() == 2,
                "Sward::project_gathered: the operands must be matrices");
  const char* const function = "Sward::project_gathered";
  const bool by_rows = side == Side::rows;
  require_extents(function, "the other factor", {other.extent(0)}, {gathered.extent(0)});
  require_extents(function, "gradient", {gradient.extent(0), gradient.extent(1)},
                  {by_rows ? gathered.extent(1) : other.extent(1), by_rows ? other.extent(1) : gathered.extent(1)});
  if (by_rows) {
    matrix_product(space, Transpose::yes, Transpose::no, 1, gathered, other, beta, gradient);
  } else {
    matrix_product(space, Transpose::yes, Transpose::no, 1, other, gathered, beta, gradient);
  }
}

}  // namespace Sward
