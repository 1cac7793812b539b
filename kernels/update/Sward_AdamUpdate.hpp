#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamBlock.hpp"

namespace Sward {

/// Updates both moments with the gradient and writes Adam's step Δ = m̂ / (sqrt(v̂) + ε); all r x n. The weights are left
/// to apply_row_update. `step_output` may be the gradient itself. Moments are matrices of float, double or BFloat16, or
/// MomentCodes; `rounding` says what the latter two draw with. Asynchronous on `space`. Throws ExtentError.
template <class ExecutionSpace, class Gradient, class First, class Second, class StepOutput>
void adam_update(const ExecutionSpace& space, const AdamStep& step, const Rounding& rounding, const Gradient& gradient,
                 const First& first_moment, const Second& second_moment, const StepOutput& step_output) {
  using Output = typename StepOutput::non_const_value_type;
  const char* const function = "Sward::adam_update";
  const AdamBlock<Gradient, First, Second> adam(function, space, step, rounding, gradient, first_moment, second_moment);
  require_extents(function, "step_output", {step_output.extent(0), step_output.extent(1)},
                  {gradient.extent(0), gradient.extent(1)});
  const int rows = static_cast<int>(gradient.extent(0));
  const int columns = static_cast<int>(gradient.extent(1));
  const bool in_packs = moves_in_packs<ExecutionSpace>(step_output);
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, block_policy(space, rows, columns), KOKKOS_LAMBDA(const Member& team) {
        for_each_block(team, columns, [&](const int block) {
          adam(team, team.league_rank(), block, [&](const LanePiece& piece, const auto& steps) {
            store_piece<BlockLanes<ExecutionSpace>::width>(step_output, piece, in_packs,
                                                           [&](const int k) { return static_cast<Output>(steps[k]); });
          });
        });
      });
}

}  // namespace Sward
