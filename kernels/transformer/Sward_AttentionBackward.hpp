#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionShape.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_CudnnPath.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Real.hpp"

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

/// logsumexp and delta of `rows` tokens into scratch. Beyond the valid ones an infinite logsumexp makes the weights 0.
template <class Team, class LogSumExp, class Delta, class Scalar>
KOKKOS_INLINE_FUNCTION void load_statistics(const Team& team, const LogSumExp& logsumexp, const Delta& delta, int token,
                                            int valid, int head, int rows, Scalar* logsumexp_tile, Scalar* delta_tile) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rows), [&](const int i) {
    logsumexp_tile[i] = i < valid ? logsumexp(token + i, head) : Kokkos::Experimental::infinity_v<Scalar>;
    delta_tile[i] = i < valid ? delta(token + i, head) : Scalar(0);
  });
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

/// gradient(token + i, column + c) += factor * tile(i, c) for the valid rows, or = where they are the first.
template <class Team, class Scalar, class Gradient>
KOKKOS_INLINE_FUNCTION void add_rows(const Team& team, const Scalar* tile, int padded, Scalar factor, bool are_first,
                                     const HeadRows<Gradient>& target) {
  if (are_first) return store_rows(team, tile, padded, factor, target);
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, target.valid), [&](const int i) {
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, target.head_size), [&](const int c) {
      target.view(target.token + i, target.column + c) += factor * tile[i * padded + c];
    });
  });
}

/// Whether the gradient of the queries is added up along with those of keys and values, where it is stored: storage in
/// two bytes would round every partial sum.
template <class ExecutionSpace, class QueryGradient>
inline constexpr bool joins_query_gradient =
    runs_on_host<ExecutionSpace> && !std::is_same_v<typename QueryGradient::non_const_value_type, BFloat16>;

/// query_gradient; a team owns a block of queries of one head and streams the keys and values up to them.
template <class ExecutionSpace, class FirstKeys, class Query, class Key, class Value, class LogSumExp,
          class OutputGradient, class Delta, class QueryGradient>
SWARD_FILE_LOCAL void attention_query_gradient(const ExecutionSpace& space, const AttentionShape& shape,
                                               const FirstKeys& first_keys, const Query& query, const Key& key,
                                               const Value& value, const LogSumExp& logsumexp,
                                               const OutputGradient& output_gradient, const Delta& delta,
                                               const QueryGradient& query_gradient) {
  using Scalar = Real<typename QueryGradient::non_const_value_type>;
  using Tile = AttentionTile<ExecutionSpace, Scalar>;
  const int padded = Tile::padded(shape.head_size);
  const int blocks = Tile::blocks(shape.length);
  const int count = (3 * Tile::block + 2 * Tile::stream) * padded + Tile::stream * Tile::block + 3 * Tile::block;
  const int level = Tile::level(count);
  const Scalar scale = static_cast<Scalar>(1 / Kokkos::sqrt(static_cast<double>(shape.head_size)));
  Kokkos::parallel_for(
      "Sward::attention_backward::query", Tile::policy(space, shape.sequences * shape.heads * blocks, count),
      KOKKOS_LAMBDA(const typename Tile::Member& team) {
        const int pair = team.league_rank() / blocks;
        const int first = (blocks - 1 - team.league_rank() % blocks) * Tile::block;
        const int head = pair % shape.heads;
        const int start = pair / shape.heads * shape.length;
        const int query_column = head * shape.head_size;
        const int key_column = head / shape.heads_per_group() * shape.head_size;
        const int queries = Kokkos::min(int{Tile::block}, shape.length - first);

        Scalar* const query_tile = Tile::scratch(team, level, count);            // padded x block
        Scalar* const output_gradient_tile = query_tile + padded * Tile::block;  // padded x block
        Scalar* const key_tile = output_gradient_tile + padded * Tile::block;    // stream x padded
        Scalar* const value_tile = key_tile + Tile::stream * padded;             // stream x padded
        Scalar* const result = value_tile + Tile::stream * padded;               // block x padded
        Scalar* const scores = result + Tile::block * padded;                    // stream x block
        Scalar* const logsumexp_tile = scores + Tile::stream * Tile::block;
        Scalar* const delta_tile = logsumexp_tile + Tile::block;
        Scalar* const first_key = delta_tile + Tile::block;

        const int token = start + first;
        load_transposed(team, HeadRows<Query>{query, token, queries, query_column, shape.head_size}, scale, Tile::block,
                        padded, query_tile);
        load_transposed(team, HeadRows<OutputGradient>{output_gradient, token, queries, query_column, shape.head_size},
                        Scalar(1), Tile::block, padded, output_gradient_tile);
        load_statistics(team, logsumexp, delta, token, queries, head, Tile::block, logsumexp_tile, delta_tile);
        load_first_keys(team, first_keys, token, queries, Tile::block, first_key);
        for_each_chunk(team, Tile::block * padded, [&](const int begin, const int end) {
          for (int i = begin; i < end; ++i) result[i] = 0;
        });

        const int begin = first_keys(token) / Tile::stream * Tile::stream;
        for (int tile = begin; tile < first + queries; tile += Tile::stream) {
          const int keys = Kokkos::min(int{Tile::stream}, shape.length - tile);
          load_rows(team, HeadRows<Key>{key, start + tile, keys, key_column, shape.head_size}, Tile::stream, padded,
                    key_tile);
          load_rows(team, HeadRows<Value>{value, start + tile, keys, key_column, shape.head_size}, Tile::stream, padded,
                    value_tile);
          team.team_barrier();
          tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{key_tile, padded, 1},
                             query_tile, [&](const int j, const int i, const Scalar score) {
                               const bool is_hidden = hides(tile + j, first + i, first_key[i]);
                               const Scalar seen = is_hidden ? -Kokkos::Experimental::infinity_v<Scalar> : score;
                               scores[j * Tile::block + i] = exponential(seen - logsumexp_tile[i]);
                             });
          tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{value_tile, padded, 1},
                             output_gradient_tile, [&](const int j, const int i, const Scalar weight_gradient) {
                               scores[j * Tile::block + i] *= weight_gradient - delta_tile[i];
                             });
          team.team_barrier();
          tile_product<Tile>(team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{scores, 1, Tile::block},
                             key_tile,
                             [&](const int i, const int c, const Scalar added) { result[i * padded + c] += added; });
          team.team_barrier();
        }
        store_rows(team, result, padded, scale,
                   HeadRows<QueryGradient>{query_gradient, token, queries, query_column, shape.head_size});
      });
}

/// key_gradient and value_gradient; a team owns a block of keys of one group of heads and streams the queries from them
/// on, head after head. On hosts a team owns all blocks of keys, one after the other, and so can add up query_gradient
/// in the same pass: five products a pair of tiles instead of seven in two kernels.
template <class ExecutionSpace, class FirstKeys, class Query, class Key, class Value, class LogSumExp,
          class OutputGradient, class Delta, class QueryGradient, class KeyGradient, class ValueGradient>
SWARD_FILE_LOCAL void attention_key_value_gradient(const ExecutionSpace& space, const AttentionShape& shape,
                                                   const FirstKeys& first_keys, const Query& query, const Key& key,
                                                   const Value& value, const LogSumExp& logsumexp,
                                                   const OutputGradient& output_gradient, const Delta& delta,
                                                   const QueryGradient& query_gradient, const KeyGradient& key_gradient,
                                                   const ValueGradient& value_gradient) {
  using Scalar = Real<typename KeyGradient::non_const_value_type>;
  using Tile = AttentionTile<ExecutionSpace, Scalar>;
  const int padded = Tile::padded(shape.head_size);
  const int blocks = Tile::blocks(shape.length);
  const int blocks_of_team = Tile::host ? blocks : 1;
  const int teams_of_pair = blocks / blocks_of_team;
  const int count = (5 * Tile::block + 3 * Tile::stream) * padded + 2 * Tile::stream * Tile::block + 3 * Tile::stream;
  const int level = Tile::level(count);
  const Scalar scale = static_cast<Scalar>(1 / Kokkos::sqrt(static_cast<double>(shape.head_size)));
  Kokkos::parallel_for(
      "Sward::attention_backward::key_value",
      Tile::policy(space, shape.sequences * shape.key_value_heads * teams_of_pair, count),
      KOKKOS_LAMBDA(const typename Tile::Member& team) {
        // nvcc captures nothing whose first use is in an `if constexpr`.
        [[maybe_unused]] const QueryGradient& joined_gradient = query_gradient;
        const int pair = team.league_rank() / teams_of_pair;
        const int group = pair % shape.key_value_heads;
        const int start = pair / shape.key_value_heads * shape.length;
        const int key_column = group * shape.head_size;

        Scalar* const key_tile = Tile::scratch(team, level, count);               // padded x block
        Scalar* const value_tile = key_tile + padded * Tile::block;               // padded x block
        Scalar* const key_rows = value_tile + padded * Tile::block;               // block x padded
        Scalar* const query_result = key_rows + Tile::block * padded;             // stream x padded
        Scalar* const query_tile = query_result + Tile::stream * padded;          // stream x padded
        Scalar* const output_gradient_tile = query_tile + Tile::stream * padded;  // stream x padded
        Scalar* const key_result = output_gradient_tile + Tile::stream * padded;  // block x padded
        Scalar* const value_result = key_result + Tile::block * padded;           // block x padded
        Scalar* const weights = value_result + Tile::block * padded;              // stream x block
        Scalar* const slopes = weights + Tile::stream * Tile::block;              // stream x block
        Scalar* const logsumexp_tile = slopes + Tile::stream * Tile::block;
        Scalar* const delta_tile = logsumexp_tile + Tile::stream;
        Scalar* const first_key = delta_tile + Tile::stream;

        const int heads = shape.heads_per_group();
        const int begin = team.league_rank() % teams_of_pair * blocks_of_team;
        for (int owned = begin; owned < begin + blocks_of_team; ++owned) {
          const int first = owned * Tile::block;
          const int keys = Kokkos::min(int{Tile::block}, shape.length - first);
          const int token = start + first;
          const HeadRows<Key> key_source{key, token, keys, key_column, shape.head_size};
          load_transposed(team, key_source, scale, Tile::block, padded, key_tile);
          load_transposed(team, HeadRows<Value>{value, token, keys, key_column, shape.head_size}, Scalar(1),
                          Tile::block, padded, value_tile);
          if constexpr (joins_query_gradient<ExecutionSpace, QueryGradient>)
            load_rows(team, key_source, Tile::block, padded, key_rows);
          for_each_chunk(team, Tile::block * padded, [&](const int from, const int to) {
            for (int i = from; i < to; ++i) key_result[i] = value_result[i] = 0;
          });

          for (int head = group * heads; head < (group + 1) * heads; ++head) {
            const int query_column = head * shape.head_size;
            for (int tile = first; tile < shape.length; tile += Tile::stream) {
              // First keys do not decrease: no later query sees these keys either. The first block of keys goes
              // through all queries, whose gradients it sets.
              if (first > 0 && first_keys(start + tile) >= first + keys) break;
              const int queries = Kokkos::min(int{Tile::stream}, shape.length - tile);
              load_rows(team, HeadRows<Query>{query, start + tile, queries, query_column, shape.head_size},
                        Tile::stream, padded, query_tile);
              load_rows(team,
                        HeadRows<OutputGradient>{output_gradient, start + tile, queries, query_column, shape.head_size},
                        Tile::stream, padded, output_gradient_tile);
              load_statistics(team, logsumexp, delta, start + tile, queries, head, Tile::stream, logsumexp_tile,
                              delta_tile);
              load_first_keys(team, first_keys, start + tile, queries, Tile::stream, first_key);
              team.team_barrier();
              tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{query_tile, padded, 1},
                                 key_tile, [&](const int i, const int j, const Scalar score) {
                                   const bool is_hidden = hides(first + j, tile + i, first_key[i]);
                                   const Scalar seen = is_hidden ? -Kokkos::Experimental::infinity_v<Scalar> : score;
                                   weights[i * Tile::block + j] = exponential(seen - logsumexp_tile[i]);
                                 });
              tile_product<Tile>(
                  team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{output_gradient_tile, padded, 1},
                  value_tile, [&](const int i, const int j, const Scalar weight_gradient) {
                    slopes[i * Tile::block + j] = weights[i * Tile::block + j] * (weight_gradient - delta_tile[i]);
                  });
              team.team_barrier();
              tile_product<Tile>(team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{weights, 1, Tile::block},
                                 output_gradient_tile, [&](const int j, const int c, const Scalar added) {
                                   value_result[j * padded + c] += added;
                                 });
              tile_product<Tile>(
                  team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{slopes, 1, Tile::block}, query_tile,
                  [&](const int j, const int c, const Scalar added) { key_result[j * padded + c] += added; });
              if constexpr (joins_query_gradient<ExecutionSpace, QueryGradient>) {
                tile_product<Tile>(
                    team, Tile::stream, padded, Tile::block, TileFactor<Scalar>{slopes, Tile::block, 1}, key_rows,
                    [&](const int i, const int c, const Scalar product) { query_result[i * padded + c] = product; });
                add_rows(
                    team, query_result, padded, scale, first == 0,
                    HeadRows<QueryGradient>{joined_gradient, start + tile, queries, query_column, shape.head_size});
              }
              team.team_barrier();
            }
          }
          store_rows(team, key_result, padded, scale,
                     HeadRows<KeyGradient>{key_gradient, token, keys, key_column, shape.head_size});
          store_rows(team, value_result, padded, Scalar(1),
                     HeadRows<ValueGradient>{value_gradient, token, keys, key_column, shape.head_size});
        }
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
  if constexpr (!joins_query_gradient<ExecutionSpace, QueryGradient>)
    attention_query_gradient(space, shape, first_keys, query, key, value, logsumexp, output_gradient, delta,
                             query_gradient);
  attention_key_value_gradient(space, shape, first_keys, query, key, value, logsumexp, output_gradient, delta,
                               query_gradient, key_gradient, value_gradient);
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
