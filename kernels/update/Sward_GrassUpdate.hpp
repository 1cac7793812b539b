#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_UpdateBatch.hpp"

namespace Sward {

/// What grass_update does to one matrix, to be launched with others. Throws ExtentError when the extents do not fit.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
auto grass_row_update(const RowSelection<ExecutionSpace>& selection, const AdamStep& step, double rate, double decay,
                      const Rounding& rounding, const Gradient& gradient, const First& first_moment,
                      const Second& second_moment, const Weight& weight) {
  using Update = RowUpdate<ExecutionSpace, Gradient, First, Second, Weight>;
  const char* const function = "Sward::grass_update";
  return Update(function, {function, step, rounding, gradient, first_moment, second_moment},
                {function, selection, rate, decay, rounding, weight});
}

/// Adam on the compressed gradient and the update of the selected rows (columns) of the weight, in one pass:
///   W[rows] = (1 - decay) W[rows] - rate ρ m̂ / (sqrt(v̂) + ε)
/// which is adam_update and then apply_row_update, without the step in memory. weight is m x n; gradient and moments
/// are r x n (m x r for columns). The gradient is float or double; moments the same, BFloat16, or MomentCodes; weights
/// float, double or BFloat16; `rounding` says how what is kept in fewer bits is rounded. Steps of a row that was drawn
/// several times add up, and it decays once. Asynchronous on `space`. Throws ExtentError when the extents do not fit.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
void grass_update(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection, const AdamStep& step,
                  double rate, double decay, const Rounding& rounding, const Gradient& gradient,
                  const First& first_moment, const Second& second_moment, const Weight& weight) {
  const auto update =
      grass_row_update(selection, step, rate, decay, rounding, gradient, first_moment, second_moment, weight);
  launch_updates("Sward::grass_update", space, UpdateBatch<std::decay_t<decltype(update)>, 1>{1, {update}});
}

}  // namespace Sward
