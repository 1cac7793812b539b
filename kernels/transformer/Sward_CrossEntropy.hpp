#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Throws unless logits are b x vocabulary with b targets and b losses, and the vocabulary is not empty.
template <class ExecutionSpace, class Logits, class Targets, class Losses>
void check_cross_entropy(const char* function, const Logits& logits, const Targets& targets, const Losses& losses) {
  static_assert(are_inputs<ExecutionSpace, Logits>() && is_number_list<ExecutionSpace, Targets>() &&
                are_outputs<ExecutionSpace, Losses>());
  static_assert(Logits::rank() == 2 && Targets::rank() == 1 && Losses::rank() == 1,
                "Sward::cross_entropy: logits must be a matrix, targets and losses vectors");
  require_extents(function, "targets", {targets.extent(0)}, {logits.extent(0)});
  require_extents(function, "losses", {losses.extent(0)}, {logits.extent(0)});
  require(logits.extent(1) > 0, function, "logits must have at least one column");
}

/// log(sum) + largest - logit of the target, where sum is that of e^(logit - largest).
template <class Logits>
KOKKOS_INLINE_FUNCTION double target_loss(double sum, Real<typename Logits::non_const_value_type> largest,
                                          Real<typename Logits::non_const_value_type> chosen) {
  return Kokkos::log(sum) + (static_cast<double>(largest) - static_cast<double>(chosen));
}

/// The target's logit, or NaN for a target beyond the vocabulary.
template <class Logits>
KOKKOS_INLINE_FUNCTION auto target_logit(const Logits& logits, int row, int target) {
  using Value = Real<typename Logits::non_const_value_type>;
  return target < static_cast<int>(logits.extent(1)) ? static_cast<Value>(logits(row, target))
                                                     : Kokkos::Experimental::quiet_NaN_v<Value>;
}

/// The logits of one row in the registers of a team, `count` packs of N a thread, so that they are read once.
template <class Stored, int N, int count>
struct LogitsInRegisters {
  using Value = Real<Stored>;
  Pack<Stored, N> logits[count];
  int columns;
  int first;  ///< column of this thread's first pack
  int step;   ///< columns from one of its packs to the next

  template <class Team, class Logits>
  KOKKOS_INLINE_FUNCTION LogitsInRegisters(const Team& team, const Logits& matrix, int row)
      : columns(static_cast<int>(matrix.extent(1))), first(team.team_rank() * N), step(team.team_size() * N) {
    SWARD_UNROLL
    for (int k = 0; k < count; ++k)
      if (first + k * step < columns) logits[k] = load_pack<N>(&matrix(row, first + k * step));
  }

  /// The largest of the row, for all threads; NaN may be passed over.
  template <class Team>
  KOKKOS_INLINE_FUNCTION Value largest(const Team& team) const {
    Value result = -Kokkos::Experimental::infinity_v<Value>;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      if (first + k * step >= columns) continue;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) result = Kokkos::fmax(result, static_cast<Value>(logits[k][e]));
    }
    team.team_reduce(Kokkos::Max<Value>(result));
    return result;
  }

  /// The sum of e^(logit - largest), for all threads.
  template <class Team>
  KOKKOS_INLINE_FUNCTION double sum(const Team& team, Value largest) {
    SumTerm<Stored> mine = 0;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      if (first + k * step >= columns) continue;
      forget_conversions(logits[k]);
      Value part = 0;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) part += exponential_to_store<Stored>(logits[k][e] - largest);
      mine += static_cast<SumTerm<Stored>>(part);
    }
    double result = mine;
    team.team_reduce(Kokkos::Sum<double>(result));
    return result;
  }

  /// Writes factor * e^(logit - largest).
  template <class Logits>
  KOKKOS_INLINE_FUNCTION void store_gradient(const Logits& matrix, int row, Value largest, Value factor) {
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const int j = first + k * step;
      if (j >= columns) continue;
      forget_conversions(logits[k]);
      Pack<Value, N> gradient;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) gradient[e] = factor * exponential_to_store<Stored>(logits[k][e] - largest);
      store_pack(convert_pack<Stored>(gradient), &matrix(row, j));
    }
  }
};

/// Sets one row of a matrix to zero, in packs of N.
template <int N, class Team, class Values>
KOKKOS_INLINE_FUNCTION void store_zeros(const Team& team, const Values& values, int row) {
  const Pack<typename Values::non_const_value_type, N> zeros = {};
  const int columns = static_cast<int>(values.extent(1));
  for (int j = team.team_rank() * N; j < columns; j += team.team_size() * N) store_pack(zeros, &values(row, j));
}

/// Writes factor * e^logit - scale at the target, if it is in the vocabulary.
template <class Logits>
KOKKOS_INLINE_FUNCTION void store_target_gradient(const Logits& logits, int row, int target,
                                                  Real<typename Logits::non_const_value_type> logit, double factor,
                                                  double scale) {
  using Stored = typename Logits::non_const_value_type;
  using Value = Real<Stored>;
  if (target >= static_cast<int>(logits.extent(1))) return;
  const Value power = exponential(logit);
  logits(row, target) = static_cast<Stored>(power * static_cast<Value>(factor) - static_cast<Value>(scale));
}

/// cross_entropy, or cross_entropy_backward for with_gradient, where a row fits the registers of `threads` threads (on
/// GPUs) with `count` packs of N each.
template <bool with_gradient, int N, int count, int threads, class ExecutionSpace, class Logits, class Targets,
          class Losses>
SWARD_FILE_LOCAL void cross_entropy_in_registers(const char* label, const ExecutionSpace& space, const Logits& logits,
                                                 const Targets& targets, double scale, const Losses& losses) {
  using Stored = typename Logits::non_const_value_type;
  using Value = Real<Stored>;
  using Loss = typename Losses::non_const_value_type;
  constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : threads;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<team_size, 1024 / threads>>;
  Kokkos::parallel_for(
      label, Policy(space, static_cast<int>(logits.extent(0)), team_size),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int row = team.league_rank();
        const int target = targets(row);
        // nvcc wants captures to be outside of a constexpr if.
        const Logits& given = logits;
        const double factor = scale;
        if (target < 0) {
          if constexpr (with_gradient) store_zeros<N>(team, given, row);
          Kokkos::single(Kokkos::PerTeam(team), [&] { losses(row) = 0; });
          return;
        }
        LogitsInRegisters<Stored, N, count> held(team, logits, row);
        const Value chosen = target_logit(logits, row, target);
        const Value largest = held.largest(team);
        const double sum = held.sum(team, largest);
        if constexpr (with_gradient) {
          held.store_gradient(given, row, largest, static_cast<Value>(factor / sum));
          // By the thread that has just written this place.
          if (target / N % team.team_size() == team.team_rank())
            store_target_gradient(given, row, target, chosen - largest, factor / sum, factor);
        }
        Kokkos::single(Kokkos::PerTeam(team),
                       [&] { losses(row) = static_cast<Loss>(target_loss<Logits>(sum, largest, chosen)); });
      });
}

/// Calls cross_entropy_in_registers if there are enough on a GPU and packs are aligned; whether it did.
template <bool with_gradient, class ExecutionSpace, class Logits, class Targets, class Losses>
bool cross_entropy_fits_registers(const char* label, const ExecutionSpace& space, const Logits& logits,
                                  const Targets& targets, double scale, const Losses& losses) {
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Logits::non_const_value_type>;
    constexpr int count = 8;
    const std::size_t columns = logits.extent(1);
    if (!is_packable<N>(logits) || columns > std::size_t{N} * count * 1024) return false;
    if (columns <= std::size_t{N} * count * 512) {
      cross_entropy_in_registers<with_gradient, N, count, 512>(label, space, logits, targets, scale, losses);
    } else {
      cross_entropy_in_registers<with_gradient, N, count, 1024>(label, space, logits, targets, scale, losses);
    }
    return true;
  }
  return false;
}

/// A policy of one team a row where rows are as long as a vocabulary.
template <class ExecutionSpace>
auto long_row_policy(const ExecutionSpace& space, std::size_t rows) {
  constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 1024;
  return Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<threads, 1>>(space, static_cast<int>(rows), threads);
}

/// losses(i) = log(sum_j e^logits(i, j)) - logits(i, targets(i)). logits is b x vocabulary, targets and losses have b
/// elements. A negative target is ignored (loss 0); one beyond the vocabulary gives NaN.
template <class ExecutionSpace, class Logits, class Targets, class Losses>
SWARD_FILE_LOCAL void cross_entropy(const ExecutionSpace& space, const Logits& logits, const Targets& targets,
                                    const Losses& losses) {
  const char* const function = "Sward::cross_entropy";
  check_cross_entropy<ExecutionSpace>(function, logits, targets, losses);
  using Value = RealOf<Logits>;
  using Loss = typename Losses::non_const_value_type;
  if (cross_entropy_fits_registers<false>(function, space, logits, targets, 0, losses)) return;
  const int columns = static_cast<int>(logits.extent(1));
  const auto policy = long_row_policy(space, logits.extent(0));
  using Member = typename decltype(policy)::member_type;
  Kokkos::parallel_for(
      function, policy, KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const int target = targets(row);
        if (target < 0) {
          Kokkos::single(Kokkos::PerTeam(team), [&] { losses(row) = 0; });
          return;
        }
        const Value largest = team_maximum(team, columns, [&](const int j) -> Value { return logits(row, j); });
        const double sum =
            team_sum(team, columns, [&](const int j) -> Value { return exponential(logits(row, j) - largest); });
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          losses(row) = static_cast<Loss>(target_loss<Logits>(sum, largest, target_logit(logits, row, target)));
        });
      });
}

/// Losses as cross_entropy, and in the same pass logits are overwritten by the gradient of `scale` times their sum:
/// scale * (softmax(logits) - onehot(target)); zero where the target is negative. A gradient is rounded once.
template <class ExecutionSpace, class Targets, class Logits, class Losses>
SWARD_FILE_LOCAL void cross_entropy_backward(const ExecutionSpace& space, const Targets& targets, double scale,
                                             const Logits& logits, const Losses& losses) {
  const char* const function = "Sward::cross_entropy_backward";
  static_assert(are_outputs<ExecutionSpace, Logits>());
  check_cross_entropy<ExecutionSpace>(function, logits, targets, losses);
  using Stored = typename Logits::non_const_value_type;
  using Value = Real<Stored>;
  using Loss = typename Losses::non_const_value_type;
  if (cross_entropy_fits_registers<true>(function, space, logits, targets, scale, losses)) return;
  const int columns = static_cast<int>(logits.extent(1));
  const auto policy = long_row_policy(space, logits.extent(0));
  using Member = typename decltype(policy)::member_type;
  Kokkos::parallel_for(
      function, policy, KOKKOS_LAMBDA(const Member& team) {
        // An exponential is kept in place of its logit where that loses nothing, else taken again.
        constexpr bool keep = std::is_same_v<Stored, Value>;
        const int row = team.league_rank();
        const int target = targets(row);
        if (target < 0) {
          for_each_chunk(team, columns, [&](const int begin, const int end) {
            for (int j = begin; j < end; ++j) logits(row, j) = static_cast<Stored>(Value(0));
          });
          Kokkos::single(Kokkos::PerTeam(team), [&] { losses(row) = 0; });
          return;
        }
        const Value chosen = target_logit(logits, row, target);
        const Value largest = team_maximum(team, columns, [&](const int j) -> Value { return logits(row, j); });
        team.team_barrier();
        const double sum = team_sum(team, columns, [&](const int j) -> Value {
          const Value power = exponential(logits(row, j) - largest);
          if constexpr (keep) logits(row, j) = power;
          return power;
        });
        team.team_barrier();
        const auto factor = static_cast<Value>(scale / sum);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j) {
            const Value power = keep ? Value(logits(row, j)) : exponential(logits(row, j) - largest);
            logits(row, j) = static_cast<Stored>(power * factor);
          }
        });
        team.team_barrier();
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          store_target_gradient(logits, row, target, chosen - largest, scale / sum, scale);
          losses(row) = static_cast<Loss>(target_loss<Logits>(sum, largest, chosen));
        });
      });
}

}  // namespace Sward
