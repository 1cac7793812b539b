#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionBackward.hpp"
#include "Sward_AttentionShape.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_CudnnPath.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Real.hpp"

namespace Sward {

/// Running softmax of one tile of scores(key, query): turns them into e^(score - maximum so far), and brings maximum,
/// sum and the factor by which earlier results shrink up to date. Lanes are queries.
template <class Tile, class Team, class Scalar>
KOKKOS_INLINE_FUNCTION void accumulate_softmax(const Team& team, Scalar* scores, Scalar* maximum, Scalar* sum,
                                               Scalar* shrink) {
  constexpr int lanes = Tile::lanes;
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, Tile::block / lanes), [&](const int piece) {
    const int first = piece * lanes;
    Scalar* const column = scores + first;
    Scalar largest[lanes];
    Scalar total[lanes];
    for (int lane = 0; lane < lanes; ++lane) largest[lane] = maximum[first + lane];
    for (int j = 0; j < Tile::stream; ++j) {
      SWARD_LANES
      for (int lane = 0; lane < lanes; ++lane) {
        const Scalar score = column[j * Tile::block + lane];
        largest[lane] = score > largest[lane] ? score : largest[lane];
      }
    }
    SWARD_LANES
    for (int lane = 0; lane < lanes; ++lane) {
      const Scalar factor = exponential(maximum[first + lane] - largest[lane]);
      shrink[first + lane] = factor;
      total[lane] = sum[first + lane] * factor;
      maximum[first + lane] = largest[lane];
    }
    for (int j = 0; j < Tile::stream; ++j) {
      SWARD_LANES
      for (int lane = 0; lane < lanes; ++lane) {
        const Scalar weight = exponential(column[j * Tile::block + lane] - largest[lane]);
        column[j * Tile::block + lane] = weight;
        total[lane] += weight;
      }
    }
    for (int lane = 0; lane < lanes; ++lane) sum[first + lane] = total[lane];
  });
}

/// attention by the kernel that needs no vendor's library; storage in two bytes is computed with in float.
template <class ExecutionSpace, class FirstKeys, class Query, class Key, class Value, class Output, class LogSumExp>
SWARD_FILE_LOCAL void portable_attention(const ExecutionSpace& space, const AttentionShape& shape,
                                         const FirstKeys& first_keys, const Query& query, const Key& key,
                                         const Value& value, const Output& output, const LogSumExp& logsumexp) {
  using Stored = typename Output::non_const_value_type;
  using Scalar = Real<Stored>;
  using Tile = AttentionTile<ExecutionSpace, Scalar>;
  const int padded = Tile::padded(shape.head_size);
  const int blocks = Tile::blocks(shape.length);
  const int count = 2 * (Tile::block + Tile::stream) * padded + Tile::stream * Tile::block + 4 * Tile::block;
  const int level = Tile::level(count);
  const Scalar scale = static_cast<Scalar>(1 / Kokkos::sqrt(static_cast<double>(shape.head_size)));
  Kokkos::parallel_for(
      "Sward::attention", Tile::policy(space, shape.sequences * shape.heads * blocks, count),
      KOKKOS_LAMBDA(const typename Tile::Member& team) {
        const int pair = team.league_rank() / blocks;
        const int first = (blocks - 1 - team.league_rank() % blocks) * Tile::block;
        const int head = pair % shape.heads;
        const int start = pair / shape.heads * shape.length;
        const int query_column = head * shape.head_size;
        const int key_column = head / shape.heads_per_group() * shape.head_size;
        const int queries = Kokkos::min(int{Tile::block}, shape.length - first);

        Scalar* const query_tile = Tile::scratch(team, level, count);  // padded x block
        Scalar* const key_tile = query_tile + padded * Tile::block;    // stream x padded
        Scalar* const value_tile = key_tile + Tile::stream * padded;   // stream x padded
        Scalar* const result = value_tile + Tile::stream * padded;     // block x padded
        Scalar* const scores = result + Tile::block * padded;          // stream x block
        Scalar* const maximum = scores + Tile::stream * Tile::block;
        Scalar* const sum = maximum + Tile::block;
        Scalar* const shrink = sum + Tile::block;
        Scalar* const first_key = shrink + Tile::block;

        load_first_keys(team, first_keys, start + first, queries, Tile::block, first_key);
        load_transposed(team, HeadRows<Query>{query, start + first, queries, query_column, shape.head_size}, scale,
                        Tile::block, padded, query_tile);
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, Tile::block), [&](const int i) {
          // Finite, because a query may see no key of a tile, and infinities have no difference.
          maximum[i] = -Kokkos::Experimental::finite_max_v<Scalar> / 2;
          sum[i] = 0;
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, padded),
                               [&](const int c) { result[i * padded + c] = 0; });
        });

        const int begin = first_keys(start + first) / Tile::stream * Tile::stream;
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
                               scores[j * Tile::block + i] =
                                   is_hidden ? -Kokkos::Experimental::infinity_v<Scalar> : score;
                             });
          team.team_barrier();
          accumulate_softmax<Tile>(team, scores, maximum, sum, shrink);
          team.team_barrier();
          tile_product<Tile>(team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{scores, 1, Tile::block},
                             value_tile, [&](const int i, const int c, const Scalar added) {
                               result[i * padded + c] = result[i * padded + c] * shrink[i] + added;
                             });
          team.team_barrier();
        }

        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, queries), [&](const int i) {
          const int token = start + first + i;
          const Scalar inverse = Scalar(1) / sum[i];
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, shape.head_size), [&](const int c) {
            output(token, query_column + c) = static_cast<Stored>(result[i * padded + c] * inverse);
          });
          Kokkos::single(Kokkos::PerThread(team), [&] { logsumexp(token, head) = maximum[i] + Kokkos::log(sum[i]); });
        });
      });
}

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
  portable_attention(space, shape, first_keys, query, key, value, output, logsumexp);
}

/// The same over whole sequences.
template <class ExecutionSpace, class Query, class Key, class Value, class Output, class LogSumExp>
void attention(const ExecutionSpace& space, const AttentionShape& shape, const Query& query, const Key& key,
               const Value& value, const Output& output, const LogSumExp& logsumexp,
               const AttentionWorkspace<ExecutionSpace>& workspace = {}) {
  attention(space, shape, WholeSequence{}, query, key, value, output, logsumexp, workspace);
}

}  // namespace Sward
