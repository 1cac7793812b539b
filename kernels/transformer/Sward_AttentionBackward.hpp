#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionGradientTiles.hpp"
#include "Sward_AttentionKeyValueGradient.hpp"
#include "Sward_AttentionQueryGradient.hpp"
#include "Sward_AttentionShape.hpp"
#include "Sward_CudnnPath.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// delta(i, head) = sum_c output_gradient output over the columns of the head.
template <class ExecutionSpace, class Output, class OutputGradient, class Delta>
SWARD_FILE_LOCAL void attention_delta(const ExecutionSpace& space, const AttentionShape& shape, const Output& output,
                                      const OutputGradient& output_gradient, const Delta& delta) {
  using Scalar = typename Delta::non_const_value_type;
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::attention_backward::delta", row_policy(space, shape.tokens()), KOKKOS_LAMBDA(const Member& team) {
        constexpr int lanes = 8;
        const int row = team.league_rank();
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, shape.heads), [&](const int head) {
          const int begin = head * shape.head_size;
          const int end = begin + shape.head_size;
          Scalar partial[lanes] = {};
          int c = begin;
          for (; c + lanes <= end; c += lanes)
            for (int lane = 0; lane < lanes; ++lane)
              partial[lane] += output(row, c + lane) * output_gradient(row, c + lane);
          Scalar sum = 0;
          for (; c < end; ++c) sum += output(row, c) * output_gradient(row, c);
          for (int lane = 0; lane < lanes; ++lane) sum += partial[lane];
          delta(row, head) = sum;
        });
      });
}

/// attention_backward by the kernels that need no vendor's library; storage in two bytes is computed with in float.
template <class ExecutionSpace, class FirstKeys, class Query, class Key, class Value, class Output, class LogSumExp,
          class OutputGradient, class Delta, class QueryGradient, class KeyGradient, class ValueGradient>
void portable_attention_backward(const ExecutionSpace& space, const AttentionShape& shape, const FirstKeys& first_keys,
                                 const Query& query, const Key& key, const Value& value, const Output& output,
                                 const LogSumExp& logsumexp, const OutputGradient& output_gradient, const Delta& delta,
                                 const QueryGradient& query_gradient, const KeyGradient& key_gradient,
                                 const ValueGradient& value_gradient) {
  attention_delta(space, shape, output, output_gradient, delta);
  using Operands = AttentionGradientOperands<FirstKeys, Query, Key, Value, LogSumExp, OutputGradient, Delta,
                                             QueryGradient, KeyGradient, ValueGradient>;
  const Operands of{shape,           first_keys, query,          key,          value,         logsumexp,
                    output_gradient, delta,      query_gradient, key_gradient, value_gradient};
  if constexpr (!joins_query_gradient<ExecutionSpace, QueryGradient>)
    AttentionQueryGradient<ExecutionSpace, Operands>{of}.launch(space);
  AttentionKeyValueGradient<ExecutionSpace, Operands>{of}.launch(space);
}

/// Gradients of attention with respect to query, key and value, which are overwritten. output and logsumexp are what
/// attention wrote, first_keys what it was given; delta is workspace, b x heads; workspace has
/// attention_workspace_bytes. Scores are computed again from query and key. No sum depends on the number of threads,
/// nor anything on the run unless cuDNN may have it so (shape.deterministic). Source: Dao, "FlashAttention-2", arXiv
/// 2307.08691, on GPUs with the two halves as kernels of their own instead of atomics.
template <class ExecutionSpace, FirstKeyList FirstKeys, class Query, class Key, class Value, class Output,
          class LogSumExp, class OutputGradient, class Delta, class QueryGradient, class KeyGradient,
          class ValueGradient>
void attention_backward(const ExecutionSpace& space, const AttentionShape& shape, const FirstKeys& first_keys,
                        const Query& query, const Key& key, const Value& value, const Output& output,
                        const LogSumExp& logsumexp, const OutputGradient& output_gradient, const Delta& delta,
                        const QueryGradient& query_gradient, const KeyGradient& key_gradient,
                        const ValueGradient& value_gradient, const AttentionWorkspace<ExecutionSpace>& workspace = {}) {
  static_assert(are_first_keys<ExecutionSpace, FirstKeys>());
  static_assert(are_inputs<ExecutionSpace, Query, Key, Value, Output, LogSumExp, OutputGradient>());
  static_assert(are_outputs<ExecutionSpace, Delta, QueryGradient, KeyGradient, ValueGradient>());
  const char* const function = "Sward::attention_backward";
  check_attention_shape(function, shape);
  require_first_keys(function, first_keys, shape);
  require_token_rows(function, "query", query, shape, shape.query_columns());
  require_token_rows(function, "key", key, shape, shape.key_value_columns());
  require_token_rows(function, "value", value, shape, shape.key_value_columns());
  require_token_rows(function, "output", output, shape, shape.query_columns());
  require_token_rows(function, "logsumexp", logsumexp, shape, shape.heads);
  require_token_rows(function, "output_gradient", output_gradient, shape, shape.query_columns());
  require_token_rows(function, "delta", delta, shape, shape.heads);
  require_token_rows(function, "query_gradient", query_gradient, shape, shape.query_columns());
  require_token_rows(function, "key_gradient", key_gradient, shape, shape.key_value_columns());
  require_token_rows(function, "value_gradient", value_gradient, shape, shape.key_value_columns());
  if (shape.tokens() == 0) return;
  if constexpr (has_cudnn<ExecutionSpace>)
    if (uses_cudnn(shape, first_keys, query, key, value, output, logsumexp))
      return enqueue_cudnn_attention_backward(space, shape, query, key, value, output, logsumexp, output_gradient,
                                              query_gradient, key_gradient, value_gradient, workspace);
  portable_attention_backward(space, shape, first_keys, query, key, value, output, logsumexp, output_gradient, delta,
                              query_gradient, key_gradient, value_gradient);
}

/// The same over whole sequences.
template <class ExecutionSpace, class Query, class Key, class Value, class Output, class LogSumExp,
          class OutputGradient, class Delta, class QueryGradient, class KeyGradient, class ValueGradient>
void attention_backward(const ExecutionSpace& space, const AttentionShape& shape, const Query& query, const Key& key,
                        const Value& value, const Output& output, const LogSumExp& logsumexp,
                        const OutputGradient& output_gradient, const Delta& delta, const QueryGradient& query_gradient,
                        const KeyGradient& key_gradient, const ValueGradient& value_gradient,
                        const AttentionWorkspace<ExecutionSpace>& workspace = {}) {
  attention_backward(space, shape, WholeSequence{}, query, key, value, output, logsumexp, output_gradient, delta,
                     query_gradient, key_gradient, value_gradient, workspace);
}

}  // namespace Sward
