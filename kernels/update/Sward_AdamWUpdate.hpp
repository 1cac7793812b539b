#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_UpdateBatch.hpp"

namespace Sward {

/// What adamw_update does to one matrix, to be launched with others. Throws ExtentError when the extents do not fit.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
auto adamw_row_update(const AdamStep& step, double learning_rate, double decay, const Rounding& rounding,
                      const Gradient& gradient, const First& first_moment, const Second& second_moment,
                      const Weight& weight) {
  using Update = RowUpdate<ExecutionSpace, Gradient, First, Second, Weight>;
  const char* const function = "Sward::adamw_update";
  return Update(function, {function, step, rounding, gradient, first_moment, second_moment},
                {learning_rate, decay, rounding, weight});
}

/// AdamW on a dense parameter: weight = (1 - decay) weight - learning_rate m̂ / (sqrt(v̂) + ε); all m x n. `decay` is the
/// whole factor of this update (learning rate times weight decay). Weights are float, double or BFloat16; moments the
/// same, or MomentCodes; `rounding` says how what is kept in fewer bits is rounded. Asynchronous on `space`. Throws
/// ExtentError. Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
void adamw_update(const ExecutionSpace& space, const AdamStep& step, double learning_rate, double decay,
                  const Rounding& rounding, const Gradient& gradient, const First& first_moment,
                  const Second& second_moment, const Weight& weight) {
  const auto update = adamw_row_update<ExecutionSpace>(step, learning_rate, decay, rounding, gradient, first_moment,
                                                       second_moment, weight);
  launch_updates("Sward::adamw_update", space, UpdateBatch<std::decay_t<decltype(update)>, 1>{1, {update}});
}

}  // namespace Sward
