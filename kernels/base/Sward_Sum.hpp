#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// Sum of a vector in double, returned to the host; waits for `space`.
template <class ExecutionSpace, class View>
SWARD_FILE_LOCAL double sum(const ExecutionSpace& space, const View& view) {
  static_assert(are_operands<ExecutionSpace, View>());
  static_assert(View::rank() == 1, "Sward::sum: the view must be a vector");
  double result = 0.0;
  Kokkos::parallel_reduce(
      "Sward::sum", Kokkos::RangePolicy<ExecutionSpace>(space, 0, view.extent(0)),
      KOKKOS_LAMBDA(const std::size_t i, double& partial) { partial += static_cast<double>(view(i)); }, result);
  return result;
}

}  // namespace Sward
