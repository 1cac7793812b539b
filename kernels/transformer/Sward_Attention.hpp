#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionShape.hpp"
#include "Sward_CudnnPath.hpp"
#include "Sward_Operands.hpp"
#include "Sward_PortableAttention.hpp"

namespace Sward {

/// output = softmax(query keyᵀ / sqrt(head_size)) value for each head, over the tokens of the sequence up to the
/// query's own, from number first_keys(query's row) of the sequence on: for sequences packed from several documents
/// that do not see each other. first_keys is a vector of b integers, none of which decreases within a sequence or goes
/// beyond the token itself, or WholeSequence. query and output are b x heads * head_size, key and value b x
/// key_value_heads * head_size with b = sequences * length; logsumexp, b x heads, receives what attention_backward
/// needs of the softmax's denominators: their logarithms, by token and head, or where uses_cudnn holds in cuDNN's
/// order, sequence, head, token. workspace has attention_workspace_bytes. Source: the online softmax of Dao,
/// "FlashAttention-2", arXiv 2307.08691.
template <class ExecutionSpace, FirstKeyList FirstKeys, class Query, class Key, class Value, class Output,
          class LogSumExp>
void attention(const ExecutionSpace& space, const AttentionShape& shape, const FirstKeys& first_keys,
               const Query& query, const Key& key, const Value& value, const Output& output, const LogSumExp& logsumexp,
               const AttentionWorkspace<ExecutionSpace>& workspace = {}) {
  static_assert(are_first_keys<ExecutionSpace, FirstKeys>());
  static_assert(are_inputs<ExecutionSpace, Query, Key, Value>() && are_outputs<ExecutionSpace, Output, LogSumExp>());
  const char* const function = "Sward::attention";
  check_attention_shape(function, shape);
  require_first_keys(function, first_keys, shape);
  require_token_rows(function, "query", query, shape, shape.query_columns());
  require_token_rows(function, "key", key, shape, shape.key_value_columns());
  require_token_rows(function, "value", value, shape, shape.key_value_columns());
  require_token_rows(function, "output", output, shape, shape.query_columns());
  require_token_rows(function, "logsumexp", logsumexp, shape, shape.heads);
  if constexpr (has_cudnn<ExecutionSpace>)
    if (uses_cudnn(shape, first_keys, query, key, value, output, logsumexp))
      return enqueue_cudnn_attention(space, shape, query, key, value, output, logsumexp, workspace);
  const PortableAttention<ExecutionSpace, FirstKeys, Query, Key, Value, Output, LogSumExp> portable{
      shape, first_keys, query, key, value, output, logsumexp};
  portable.launch(space);
}

/// The same over whole sequences.
template <class ExecutionSpace, class Query, class Key, class Value, class Output, class LogSumExp>
void attention(const ExecutionSpace& space, const AttentionShape& shape, const Query& query, const Key& key,
               const Value& value, const Output& output, const LogSumExp& logsumexp,
               const AttentionWorkspace<ExecutionSpace>& workspace = {}) {
  attention(space, shape, WholeSequence{}, query, key, value, output, logsumexp, workspace);
}

}  // namespace Sward
