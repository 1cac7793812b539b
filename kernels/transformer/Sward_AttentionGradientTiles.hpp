#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionShape.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_Real.hpp"

namespace Sward {

/// What the kernels of attention_backward are given.
template <class FirstKeys, class Query, class Key, class Value, class LogSumExp, class OutputGradient, class Delta,
          class QueryGradient, class KeyGradient, class ValueGradient>
struct AttentionGradientOperands {
  /// What is computed with: float for storage in two bytes.
  using Scalar = Real<typename QueryGradient::non_const_value_type>;

  AttentionShape shape;
  FirstKeys first_keys;
  Query query;
  Key key;
  Value value;
  LogSumExp logsumexp;
  OutputGradient output_gradient;
  Delta delta;
  QueryGradient query_gradient;
  KeyGradient key_gradient;
  ValueGradient value_gradient;

  /// Of scores, before the softmax.
  KOKKOS_FUNCTION Scalar scale() const { return static_cast<Scalar>(shape.score_scale()); }
};

/// What a tile of queries brings to its scores, in scratch, an element a query.
template <class Scalar>
struct QueryStatistics {
  Scalar* logsumexp;
  Scalar* delta;
  Scalar* first_key;
};

/// Those of `rows` queries from `token` on. Beyond the valid ones an infinite logsumexp makes the weights 0.
template <class Team, class Operands, class Scalar>
KOKKOS_INLINE_FUNCTION void load_statistics(const Team& team, const Operands& of, int token, int valid, int head,
                                            int rows, const QueryStatistics<Scalar>& statistics) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rows), [&](const int i) {
    statistics.logsumexp[i] = i < valid ? of.logsumexp(token + i, head) : Kokkos::Experimental::infinity_v<Scalar>;
    statistics.delta[i] = i < valid ? of.delta(token + i, head) : Scalar(0);
  });
  load_first_keys(team, of.first_keys, token, valid, rows, statistics.first_key);
}

/// The weight that the softmax gave a score.
template <class Scalar>
KOKKOS_INLINE_FUNCTION Scalar softmax_weight(Scalar score, bool is_hidden, Scalar logsumexp) {
  const Scalar seen = is_hidden ? -Kokkos::Experimental::infinity_v<Scalar> : score;
  return exponential(seen - logsumexp);
}

/// gradient(token + i, column + c) = factor * tile(i, c) for the valid rows.
template <class Team, class Scalar, class Gradient>
KOKKOS_INLINE_FUNCTION void store_rows(const Team& team, const Scalar* tile, int padded, Scalar factor,
                                       const HeadRows<Gradient>& target) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, target.valid), [&](const int i) {
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, target.head_size), [&](const int c) {
      using Stored = typename Gradient::non_const_value_type;
      target.view(target.token + i, target.column + c) = static_cast<Stored>(factor * tile[i * padded + c]);
    });
  });
}

}  // namespace Sward
