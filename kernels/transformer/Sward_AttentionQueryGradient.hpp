#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionGradientTiles.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_QueryBlock.hpp"

namespace Sward {

/// The part of attention_backward for the queries: a team owns a block of queries of one head and streams the keys and
/// values up to them.
template <class ExecutionSpace, class Operands>
struct AttentionQueryGradient {
  using Scalar = typename Operands::Scalar;
  using Tile = AttentionTile<ExecutionSpace, Scalar>;
  using Team = typename Tile::Member;

  Operands of;
  int padded = Tile::padded(of.shape.head_size);
  int blocks = Tile::blocks(of.shape.length);  // of a sequence
  int level = Tile::level(Scratch::count(padded));

  /// A team for each block of queries of a sequence and of a head. Asynchronous.
  void launch(const ExecutionSpace& space) const {
    const int league = of.shape.sequences * of.shape.heads * blocks;
    Kokkos::parallel_for("Sward::attention_backward::query", Tile::policy(space, league, Scratch::count(padded)),
                         *this);
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const Scratch scratch(Tile::scratch(team, level, Scratch::count(padded)), padded);
    const QueryBlock block = query_block(of.shape, Tile::block, blocks, team.league_rank());
    load_queries(team, block, scratch);
    const int begin = of.first_keys(block.start + block.first) / Tile::stream * Tile::stream;
    for (int tile = begin; tile < block.first + block.queries; tile += Tile::stream) {
      load_keys(team, block, tile, scratch);
      team.team_barrier();
      compute_slopes(team, block, tile, scratch);
      team.team_barrier();
      tile_product<Tile>(
          team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{scratch.slopes, 1, Tile::block}, scratch.keys,
          [&](const int i, const int c, const Scalar added) { scratch.result[i * padded + c] += added; });
      team.team_barrier();
    }
    store_rows(team, scratch.result, padded, of.scale(), block.rows_of(of.query_gradient, of.shape));
  }

 private:
  struct Scratch {
    Scalar* queries;           // padded x block
    Scalar* output_gradients;  // padded x block
    Scalar* keys;              // stream x padded
    Scalar* values;            // stream x padded
    Scalar* result;            // block x padded
    Scalar* slopes;            // stream x block
    QueryStatistics<Scalar> statistics;

    static constexpr KOKKOS_FUNCTION int count(int padded) {
      return (3 * Tile::block + 2 * Tile::stream) * padded + Tile::stream * Tile::block + 3 * Tile::block;
    }
    KOKKOS_FUNCTION Scratch(Scalar* begin, int padded)
        : queries(begin),
          output_gradients(queries + padded * Tile::block),
          keys(output_gradients + padded * Tile::block),
          values(keys + Tile::stream * padded),
          result(values + Tile::stream * padded),
          slopes(result + Tile::block * padded),
          statistics{slopes + Tile::stream * Tile::block, slopes + (Tile::stream + 1) * Tile::block,
                     slopes + (Tile::stream + 2) * Tile::block} {}
  };

  KOKKOS_FUNCTION void load_queries(const Team& team, const QueryBlock& block, const Scratch& scratch) const {
    load_transposed(team, block.rows_of(of.query, of.shape), of.scale(), Tile::block, padded, scratch.queries);
    load_transposed(team, block.rows_of(of.output_gradient, of.shape), Scalar(1), Tile::block, padded,
                    scratch.output_gradients);
    load_statistics(team, of, block.start + block.first, block.queries, block.head, Tile::block, scratch.statistics);
    set_zero(team, Tile::block * padded, scratch.result);
  }

  KOKKOS_FUNCTION void load_keys(const Team& team, const QueryBlock& block, int tile, const Scratch& scratch) const {
    load_rows(team, block.keys_of(of.key, of.shape, tile, Tile::stream), Tile::stream, padded, scratch.keys);
    load_rows(team, block.keys_of(of.value, of.shape, tile, Tile::stream), Tile::stream, padded, scratch.values);
  }

  /// slopes(j, i): the gradient of the score of key `tile` + j and the block's query i.
  KOKKOS_FUNCTION void compute_slopes(const Team& team, const QueryBlock& block, int tile,
                                      const Scratch& scratch) const {
    const QueryStatistics<Scalar>& statistics = scratch.statistics;
    tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{scratch.keys, padded, 1},
                       scratch.queries, [&](const int j, const int i, const Scalar score) {
                         const bool is_hidden = hides(tile + j, block.first + i, statistics.first_key[i]);
                         scratch.slopes[j * Tile::block + i] =
                             softmax_weight(score, is_hidden, statistics.logsumexp[i]);
                       });
    tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{scratch.values, padded, 1},
                       scratch.output_gradients, [&](const int j, const int i, const Scalar weight_gradient) {
                         scratch.slopes[j * Tile::block + i] *= weight_gradient - statistics.delta[i];
                       });
  }
};

}  // namespace Sward
