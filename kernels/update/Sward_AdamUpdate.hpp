#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamBlock.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// Updates both moments with the gradient and writes Adam's step Δ = m̂ / (sqrt(v̂) + ε); all r x n. The weights are left
/// to apply_row_update. `step_output` may be the gradient itself. Moments are matrices of float, double or BFloat16, or
/// MomentCodes; `rounding` says what the latter two draw with. Asynchronous on `space`. Throws ExtentError.
template <class ExecutionSpace, class Gradient, class First, class Second, class StepOutput>
SWARD_FILE_LOCAL void adam_update(const ExecutionSpace& space, const AdamStep& step, const Rounding& rounding,
                                  const Gradient& gradient, const First& first_moment, const Second& second_moment,
                                  const StepOutput& step_output) {
  static_assert(are_outputs<ExecutionSpace, StepOutput>());
  static_assert(StepOutput::rank() == 2, "Sward::adam_update: the operands must be matrices");
  using Output = typename StepOutput::non_const_value_type;
  using Steps = LaneValues<ExecutionSpace, StepOutput>;
  const char* const function = "Sward::adam_update";
  using Adam = AdamBlock<ExecutionSpace, Gradient, First, Second>;
  const Adam adam(function, step, rounding, gradient, first_moment, second_moment);
  require_extents(function, "step_output", {step_output.extent(0), step_output.extent(1)},
                  {gradient.extent(0), gradient.extent(1)});
  const int rows = static_cast<int>(gradient.extent(0));
  const int columns = static_cast<int>(gradient.extent(1));
  const bool in_packs = moves_in_packs<ExecutionSpace>(step_output);
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, block_policy(space, rows, block_threads<ExecutionSpace>(columns)), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_block(team, columns, [&](const int block) {
          Steps steps;  // a lane's own, as all that follow
          typename Adam::Lane lane;
          PieceBits<ExecutionSpace> bits;
          for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
            adam.load(piece, lane);
            if constexpr (Adam::draws) adam.draw(piece, bits);
            steps.attach(step_output, piece);
          });
          adam.update(team, row, block, bits, lane, [&](const LanePiece&, const int k, const auto value) {
            steps[k] = static_cast<typename Steps::Value>(value);
          });
          for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
            steps.store(step_output, piece, in_packs, [](int, const auto value) { return static_cast<Output>(value); });
          });
        });
      });
}

}  // namespace Sward
