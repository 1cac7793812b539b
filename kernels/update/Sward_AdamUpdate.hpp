#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamStep.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Updates both moments with the gradient and writes Adam's step Δ = m̂ / (sqrt(v̂) + ε); all r x n. The weights are left
/// to apply_row_update. `step_output` may be the gradient itself. Asynchronous on `space`. Throws ExtentError.
template <class ExecutionSpace, class Gradient, class Moment, class StepOutput>
void adam_update(const ExecutionSpace& space, const AdamStep& step, const Gradient& gradient,
                 const Moment& first_moment, const Moment& second_moment, const StepOutput& step_output) {
  const char* const function = "Sward::adam_update";
  check_adam(function, step, gradient, first_moment, second_moment);
  require_extents(function, "step_output", {step_output.extent(0), step_output.extent(1)},
                  {gradient.extent(0), gradient.extent(1)});
  const AdamFormula<typename Moment::non_const_value_type> adam(step);
  const int columns = static_cast<int>(gradient.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, row_policy(space, static_cast<int>(gradient.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j)
            step_output(row, j) = adam(gradient(row, j), first_moment(row, j), second_moment(row, j));
        });
      });
}

}  // namespace Sward
