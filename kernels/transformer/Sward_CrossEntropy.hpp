#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Throws unless logits are b x vocabulary with b targets and b losses, and the vocabulary is not empty.
template <class Logits, class Targets, class Losses>
void check_cross_entropy(const char* function, const Logits& logits, const Targets& targets, const Losses& losses) {
  static_assert(Logits::rank() == 2 && Targets::rank() == 1 && Losses::rank() == 1,
                "Sward::cross_entropy: logits must be a matrix, targets and losses vectors");
  require_extents(function, "targets", {targets.extent(0)}, {logits.extent(0)});
  require_extents(function, "losses", {losses.extent(0)}, {logits.extent(0)});
  require(logits.extent(1) > 0, function, "logits must have at least one column");
}

/// losses(i) = log(sum_j e^logits(i, j)) - logits(i, targets(i)). logits is b x vocabulary, targets and losses have b
/// elements. A negative target is ignored (loss 0); one beyond the vocabulary gives NaN.
template <class ExecutionSpace, class Logits, class Targets, class Losses>
void cross_entropy(const ExecutionSpace& space, const Logits& logits, const Targets& targets, const Losses& losses) {
  using Scalar = typename Logits::non_const_value_type;
  using Loss = typename Losses::non_const_value_type;
  check_cross_entropy("Sward::cross_entropy", logits, targets, losses);
  const int rows = static_cast<int>(logits.extent(0));
  const int columns = static_cast<int>(logits.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::cross_entropy", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const int target = targets(row);
        if (target < 0) {
          Kokkos::single(Kokkos::PerTeam(team), [&] { losses(row) = 0; });
          return;
        }
        const Scalar largest = team_maximum(team, columns, [&](const int j) -> Scalar { return logits(row, j); });
        const double sum =
            team_sum(team, columns, [&](const int j) -> Scalar { return exponential(logits(row, j) - largest); });
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          const Scalar chosen = target < columns ? logits(row, target) : Kokkos::Experimental::quiet_NaN_v<Scalar>;
          losses(row) = static_cast<Loss>(Kokkos::log(sum) + (static_cast<double>(largest) - chosen));
        });
      });
}

/// Losses as cross_entropy, and in the same pass logits are overwritten by the gradient of `scale` times their sum:
/// scale * (softmax(logits) - onehot(target)); zero where the target is negative.
template <class ExecutionSpace, class Targets, class Logits, class Losses>
void cross_entropy_backward(const ExecutionSpace& space, const Targets& targets, double scale, const Logits& logits,
                            const Losses& losses) {
  using Scalar = typename Logits::non_const_value_type;
  using Loss = typename Losses::non_const_value_type;
  check_cross_entropy("Sward::cross_entropy_backward", logits, targets, losses);
  const int rows = static_cast<int>(logits.extent(0));
  const int columns = static_cast<int>(logits.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::cross_entropy_backward", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const int target = targets(row);
        if (target < 0) {
          for_each_chunk(team, columns, [&](const int begin, const int end) {
            for (int j = begin; j < end; ++j) logits(row, j) = 0;
          });
          Kokkos::single(Kokkos::PerTeam(team), [&] { losses(row) = 0; });
          return;
        }
        const Scalar chosen = target < columns ? logits(row, target) : Kokkos::Experimental::quiet_NaN_v<Scalar>;
        const Scalar largest = team_maximum(team, columns, [&](const int j) -> Scalar { return logits(row, j); });
        team.team_barrier();
        // The row stays in cache between the passes; each exponential is taken once and kept in place.
        const double sum = team_sum(team, columns, [&](const int j) -> Scalar {
          return logits(row, j) = exponential(logits(row, j) - largest);
        });
        team.team_barrier();
        const Scalar factor = static_cast<Scalar>(scale / sum);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          for (int j = begin; j < end; ++j) logits(row, j) *= factor;
        });
        team.team_barrier();
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          if (target < columns) logits(row, target) -= static_cast<Scalar>(scale);
          losses(row) = static_cast<Loss>(Kokkos::log(sum) + (static_cast<double>(largest) - chosen));
        });
      });
}

}  // namespace Sward
