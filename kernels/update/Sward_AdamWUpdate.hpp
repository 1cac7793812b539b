#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamBlock.hpp"

namespace Sward {

/// AdamW on a dense parameter: weight = (1 - decay) weight - learning_rate m̂ / (sqrt(v̂) + ε); all m x n. `decay` is the
/// whole factor of this update (learning rate times weight decay). Weights are float, double or BFloat16; moments the
/// same, or MomentCodes; `rounding` says how what is kept in fewer bits is rounded. Asynchronous on `space`. Throws
/// ExtentError. Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
void adamw_update(const ExecutionSpace& space, const AdamStep& step, double learning_rate, double decay,
                  const Rounding& rounding, const Gradient& gradient, const First& first_moment,
                  const Second& second_moment, const Weight& weight) {
  using Values = LaneValues<ExecutionSpace, Weight>;
  using Value = typename Values::Value;
  const char* const function = "Sward::adamw_update";
  const AdamBlock<ExecutionSpace, Gradient, First, Second> adam(function, step, rounding, gradient, first_moment,
                                                                second_moment);
  require_extents(function, "weight", {weight.extent(0), weight.extent(1)}, {gradient.extent(0), gradient.extent(1)});
  const auto rate = static_cast<Value>(learning_rate);
  const auto kept = static_cast<Value>(1 - decay);
  const int rows = static_cast<int>(gradient.extent(0));
  const int columns = static_cast<int>(gradient.extent(1));
  const bool in_packs = moves_in_packs<ExecutionSpace>(weight);
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, block_policy(space, rows, columns), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_block(team, columns, [&](const int block) {
          // A lane's own, as in AdamBlock. Read first, so that it is under way together with the moments.
          Values values;
          for_each_lane(team, row, block, columns,
                        [&](const LanePiece& piece) { values.load(weight, piece, in_packs); });
          adam(team, row, block, [&](const LanePiece&, const int k, const auto change) {
            values[k] = kept * values[k] - rate * static_cast<Value>(change);
          });
          for_each_lane(team, row, block, columns,
                        [&](const LanePiece& piece) { store_weights(weight, piece, in_packs, rounding, values); });
        });
      });
}

}  // namespace Sward
