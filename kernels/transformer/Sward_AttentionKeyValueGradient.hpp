#pragma once

#include <Kokkos_Core.hpp>
#include <type_traits>

#include "Sward_AttentionGradientTiles.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Whether the gradient of the queries is added up along with those of keys and values, where it is stored: storage in
/// two bytes would round every partial sum.
template <class ExecutionSpace, class QueryGradient>
inline constexpr bool joins_query_gradient =
    runs_on_host<ExecutionSpace> && !std::is_same_v<typename QueryGradient::non_const_value_type, BFloat16>;

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

/// The part of attention_backward for keys and values: a team owns a block of keys of one group of heads and streams
/// the queries from them on, head after head. On hosts a team owns all blocks of keys, one after the other, and so can
/// add up the gradient of the queries in the same pass: five products a pair of tiles instead of seven in two kernels.
template <class ExecutionSpace, class Operands>
struct AttentionKeyValueGradient {
  using Scalar = typename Operands::Scalar;
  using Tile = AttentionTile<ExecutionSpace, Scalar>;
  using Team = typename Tile::Member;
  static constexpr bool joins_queries = joins_query_gradient<ExecutionSpace, decltype(Operands::query_gradient)>;

  Operands of;
  int padded = Tile::padded(of.shape.head_size);
  int blocks_of_team = Tile::host ? Tile::blocks(of.shape.length) : 1;
  int teams_of_pair = Tile::host ? 1 : Tile::blocks(of.shape.length);  // of a sequence and a group of heads
  int level = Tile::level(Scratch::count(padded));

  /// A team for some blocks of keys of a sequence and of a group of heads. Asynchronous.
  void launch(const ExecutionSpace& space) const {
    const int league = of.shape.sequences * of.shape.key_value_heads * teams_of_pair;
    Kokkos::parallel_for("Sward::attention_backward::key_value", Tile::policy(space, league, Scratch::count(padded)),
                         *this);
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const Scratch scratch(Tile::scratch(team, level, Scratch::count(padded)), padded);
    const int pair = team.league_rank() / teams_of_pair;
    const int begin = team.league_rank() % teams_of_pair * blocks_of_team;
    for (int owned = begin; owned < begin + blocks_of_team; ++owned) {
      const int first = owned * Tile::block;
      const Block block{pair / of.shape.key_value_heads * of.shape.length, first,
                        Kokkos::min(int{Tile::block}, of.shape.length - first), pair % of.shape.key_value_heads};
      load_keys(team, block, scratch);
      const int heads = of.shape.heads_per_group();
      for (int head = block.group * heads; head < (block.group + 1) * heads; ++head)
        stream_queries(team, block, head, scratch);
      store_rows(team, scratch.key_result, padded, of.scale(), keys_of(of.key_gradient, block));
      store_rows(team, scratch.value_result, padded, Scalar(1), keys_of(of.value_gradient, block));
    }
  }

 private:
  struct Scratch {
    Scalar* keys;              // padded x block
    Scalar* values;            // padded x block
    Scalar* key_rows;          // block x padded
    Scalar* query_result;      // stream x padded
    Scalar* queries;           // stream x padded
    Scalar* output_gradients;  // stream x padded
    Scalar* key_result;        // block x padded
    Scalar* value_result;      // block x padded
    Scalar* weights;           // stream x block
    Scalar* slopes;            // stream x block, gradients of scores
    QueryStatistics<Scalar> statistics;

    static constexpr KOKKOS_FUNCTION int count(int padded) {
      return (5 * Tile::block + 3 * Tile::stream) * padded + 2 * Tile::stream * Tile::block + 3 * Tile::stream;
    }
    KOKKOS_FUNCTION Scratch(Scalar* begin, int padded)
        : keys(begin),
          values(keys + padded * Tile::block),
          key_rows(values + padded * Tile::block),
          query_result(key_rows + Tile::block * padded),
          queries(query_result + Tile::stream * padded),
          output_gradients(queries + Tile::stream * padded),
          key_result(output_gradients + Tile::stream * padded),
          value_result(key_result + Tile::block * padded),
          weights(value_result + Tile::block * padded),
          slopes(weights + Tile::stream * Tile::block),
          statistics{slopes + Tile::stream * Tile::block, slopes + Tile::stream * (Tile::block + 1),
                     slopes + Tile::stream * (Tile::block + 2)} {}
  };

  /// Some keys of a group of heads.
  struct Block {
    int start;  // row of the sequence's first token
    int first;  // number in the sequence of the block's first token
    int keys;
    int group;
  };

  template <class View>
  KOKKOS_FUNCTION HeadRows<View> keys_of(const View& view, const Block& block) const {
    return {view, block.start + block.first, block.keys, block.group * of.shape.head_size, of.shape.head_size};
  }
  /// The queries of a tile that starts at token `tile` of the sequence.
  template <class View>
  KOKKOS_FUNCTION HeadRows<View> queries_of(const View& view, const Block& block, int head, int tile) const {
    const int queries = Kokkos::min(int{Tile::stream}, of.shape.length - tile);
    return {view, block.start + tile, queries, head * of.shape.head_size, of.shape.head_size};
  }

  KOKKOS_FUNCTION void load_keys(const Team& team, const Block& block, const Scratch& scratch) const {
    load_transposed(team, keys_of(of.key, block), of.scale(), Tile::block, padded, scratch.keys);
    load_transposed(team, keys_of(of.value, block), Scalar(1), Tile::block, padded, scratch.values);
    if constexpr (joins_queries) load_rows(team, keys_of(of.key, block), Tile::block, padded, scratch.key_rows);
    set_zero(team, Tile::block * padded, scratch.key_result);
    set_zero(team, Tile::block * padded, scratch.value_result);
  }

  KOKKOS_FUNCTION void stream_queries(const Team& team, const Block& block, int head, const Scratch& scratch) const {
    for (int tile = block.first; tile < of.shape.length; tile += Tile::stream) {
      // First keys do not decrease: no later query sees these keys either. The first block of keys goes through all
      // queries, whose gradients it sets.
      if (block.first > 0 && of.first_keys(block.start + tile) >= block.first + block.keys) break;
      load_queries(team, block, head, tile, scratch);
      team.team_barrier();
      compute_slopes(team, block, tile, scratch);
      team.team_barrier();
      add_to_results(team, scratch);
      if constexpr (joins_queries) add_to_queries(team, block, head, tile, scratch);
      team.team_barrier();
    }
  }

  KOKKOS_FUNCTION void load_queries(const Team& team, const Block& block, int head, int tile,
                                    const Scratch& scratch) const {
    const auto queries = queries_of(of.query, block, head, tile);
    load_rows(team, queries, Tile::stream, padded, scratch.queries);
    load_rows(team, queries_of(of.output_gradient, block, head, tile), Tile::stream, padded, scratch.output_gradients);
    load_statistics(team, of, queries.token, queries.valid, head, Tile::stream, scratch.statistics);
  }

  /// weights(i, j) and slopes(i, j) of query `tile` + i and the block's key j.
  KOKKOS_FUNCTION void compute_slopes(const Team& team, const Block& block, int tile, const Scratch& scratch) const {
    const QueryStatistics<Scalar>& statistics = scratch.statistics;
    tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{scratch.queries, padded, 1},
                       scratch.keys, [&](const int i, const int j, const Scalar score) {
                         const bool is_hidden = hides(block.first + j, tile + i, statistics.first_key[i]);
                         scratch.weights[i * Tile::block + j] =
                             softmax_weight(score, is_hidden, statistics.logsumexp[i]);
                       });
    tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{scratch.output_gradients, padded, 1},
                       scratch.values, [&](const int i, const int j, const Scalar weight_gradient) {
                         const int place = i * Tile::block + j;
                         scratch.slopes[place] = scratch.weights[place] * (weight_gradient - statistics.delta[i]);
                       });
  }

  KOKKOS_FUNCTION void add_to_results(const Team& team, const Scratch& scratch) const {
    tile_product<Tile>(team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{scratch.weights, 1, Tile::block},
                       scratch.output_gradients, [&](const int j, const int c, const Scalar added) {
                         scratch.value_result[j * padded + c] += added;
                       });
    tile_product<Tile>(
        team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{scratch.slopes, 1, Tile::block}, scratch.queries,
        [&](const int j, const int c, const Scalar added) { scratch.key_result[j * padded + c] += added; });
  }

  KOKKOS_FUNCTION void add_to_queries(const Team& team, const Block& block, int head, int tile,
                                      const Scratch& scratch) const {
    tile_product<Tile>(
        team, Tile::stream, padded, Tile::block, TileFactor<Scalar>{scratch.slopes, Tile::block, 1}, scratch.key_rows,
        [&](const int i, const int c, const Scalar product) { scratch.query_result[i * padded + c] = product; });
    add_rows(team, scratch.query_result, padded, of.scale(), block.first == 0,
             queries_of(of.query_gradient, block, head, tile));
  }
};

}  // namespace Sward
