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
  using Value = Real<typename Weight::non_const_value_type>;
  const char* const function = "Sward::adamw_update";
  const AdamBlock<Gradient, First, Second> adam(function, space, step, rounding, gradient, first_moment, second_moment);
  require_extents(function, "weight", {weight.extent(0), weight.extent(1)}, {gradient.extent(0), gradient.extent(1)});
  const auto rate = static_cast<Value>(learning_rate);
  const auto kept = static_cast<Value>(1 - decay);
  const int rows = static_cast<int>(gradient.extent(0));
  const int columns = static_cast<int>(gradient.extent(1));
  const bool in_packs = moves_in_packs<ExecutionSpace>(weight);
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, block_policy(space, rows, columns), KOKKOS_LAMBDA(const Member& team) {
        for_each_block(team, columns, [&](const int block) {
          adam(team, team.league_rank(), block, [&](const LanePiece& piece, const auto& steps) {
            constexpr int width = BlockLanes<ExecutionSpace>::width;
            Value values[width];
            load_piece(weight, piece, in_packs, values);
            for_each_element<width>(
                piece.count, [&](const int k) { values[k] = kept * values[k] - rate * static_cast<Value>(steps[k]); });
            store_weights(weight, piece, in_packs, rounding, values);
          });
        });
      });
}

}  // namespace Sward
