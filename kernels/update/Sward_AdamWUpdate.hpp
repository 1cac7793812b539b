#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamStep.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// AdamW on a dense parameter: weight = (1 - decay) weight - learning_rate m̂ / (sqrt(v̂) + ε); all m x n. `decay` is the
/// whole factor of this update (learning rate times weight decay). Asynchronous on `space`. Throws ExtentError.
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
template <class ExecutionSpace, class Gradient, class Moment, class Weight>
void adamw_update(const ExecutionSpace& space, const AdamStep& step, double learning_rate, double decay,
                  const Gradient& gradient, const Moment& first_moment, const Moment& second_moment,
                  const Weight& weight) {
  using Scalar = typename Moment::non_const_value_type;
  const char* const function = "Sward::adamw_update";
  check_adam(function, step, gradient, first_moment, second_moment);
  require_extents(function, "weight", {weight.extent(0), weight.extent(1)}, {gradient.extent(0), gradient.extent(1)});
  const AdamFormula<Scalar> adam(step);
  const auto rate = static_cast<Scalar>(learning_rate);
  const auto kept = static_cast<Scalar>(1 - decay);
  const int columns = static_cast<int>(gradient.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      function, row_policy(space, static_cast<int>(gradient.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j)
            weight(row, j) =
                kept * weight(row, j) - rate * adam(gradient(row, j), first_moment(row, j), second_moment(row, j));
        });
      });
}

}  // namespace Sward
