#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionShape.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_QueryBlock.hpp"
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

/// attention without a vendor's library: a team owns a block of queries of one head and streams the keys and values up
/// to them. Storage in two bytes is computed with in float.
template <class ExecutionSpace, class FirstKeys, class Query, class Key, class Value, class Output, class LogSumExp>
struct PortableAttention {
  using Stored = typename Output::non_const_value_type;
  using Scalar = Real<Stored>;
  using Tile = AttentionTile<ExecutionSpace, Scalar>;
  using Team = typename Tile::Member;

  AttentionShape shape;
  FirstKeys first_keys;
  Query query;
  Key key;
  Value value;
  Output output;
  LogSumExp logsumexp;
  int padded = Tile::padded(shape.head_size);
  int blocks = Tile::blocks(shape.length);  // of a sequence
  int level = Tile::level(Scratch::count(padded));

  /// A team for each block of queries of a sequence and of a head. Asynchronous.
  void launch(const ExecutionSpace& space) const {
    Kokkos::parallel_for("Sward::attention",
                         Tile::policy(space, shape.sequences * shape.heads * blocks, Scratch::count(padded)), *this);
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const Scratch scratch(Tile::scratch(team, level, Scratch::count(padded)), padded);
    const QueryBlock block = query_block(shape, Tile::block, blocks, team.league_rank());
    load_queries(team, block, scratch);
    const int begin = first_keys(block.start + block.first) / Tile::stream * Tile::stream;
    for (int tile = begin; tile < block.first + block.queries; tile += Tile::stream) {
      load_keys(team, block, tile, scratch);
      team.team_barrier();
      tile_product<Tile>(team, Tile::stream, Tile::block, padded, TileFactor<Scalar>{scratch.keys, padded, 1},
                         scratch.queries, [&](const int j, const int i, const Scalar score) {
                           const bool is_hidden = hides(tile + j, block.first + i, scratch.first_key[i]);
                           scratch.scores[j * Tile::block + i] =
                               is_hidden ? -Kokkos::Experimental::infinity_v<Scalar> : score;
                         });
      team.team_barrier();
      accumulate_softmax<Tile>(team, scratch.scores, scratch.maximum, scratch.sum, scratch.shrink);
      team.team_barrier();
      tile_product<Tile>(team, Tile::block, padded, Tile::stream, TileFactor<Scalar>{scratch.scores, 1, Tile::block},
                         scratch.values, [&](const int i, const int c, const Scalar added) {
                           Scalar& result = scratch.result[i * padded + c];
                           result = result * scratch.shrink[i] + added;
                         });
      team.team_barrier();
    }
    store_result(team, block, scratch);
  }

 private:
  struct Scratch {
    Scalar* queries;  // padded x block
    Scalar* keys;     // stream x padded
    Scalar* values;   // stream x padded
    Scalar* result;   // block x padded
    Scalar* scores;   // stream x block
    // An element a query.
    Scalar* maximum;
    Scalar* sum;
    Scalar* shrink;
    Scalar* first_key;

    static constexpr KOKKOS_FUNCTION int count(int padded) {
      return 2 * (Tile::block + Tile::stream) * padded + Tile::stream * Tile::block + 4 * Tile::block;
    }
    KOKKOS_FUNCTION Scratch(Scalar* begin, int padded)
        : queries(begin),
          keys(queries + padded * Tile::block),
          values(keys + Tile::stream * padded),
          result(values + Tile::stream * padded),
          scores(result + Tile::block * padded),
          maximum(scores + Tile::stream * Tile::block),
          sum(maximum + Tile::block),
          shrink(sum + Tile::block),
          first_key(shrink + Tile::block) {}
  };

  KOKKOS_FUNCTION void load_queries(const Team& team, const QueryBlock& block, const Scratch& scratch) const {
    load_first_keys(team, first_keys, block.start + block.first, block.queries, Tile::block, scratch.first_key);
    load_transposed(team, block.rows_of(query, shape), static_cast<Scalar>(shape.score_scale()), Tile::block, padded,
                    scratch.queries);
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, Tile::block), [&](const int i) {
      // Finite, because a query may see no key of a tile, and infinities have no difference.
      scratch.maximum[i] = -Kokkos::Experimental::finite_max_v<Scalar> / 2;
      scratch.sum[i] = 0;
    });
    set_zero(team, Tile::block * padded, scratch.result);
  }

  KOKKOS_FUNCTION void load_keys(const Team& team, const QueryBlock& block, int tile, const Scratch& scratch) const {
    load_rows(team, block.keys_of(key, shape, tile, Tile::stream), Tile::stream, padded, scratch.keys);
    load_rows(team, block.keys_of(value, shape, tile, Tile::stream), Tile::stream, padded, scratch.values);
  }

  KOKKOS_FUNCTION void store_result(const Team& team, const QueryBlock& block, const Scratch& scratch) const {
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, block.queries), [&](const int i) {
      const int token = block.start + block.first + i;
      const Scalar inverse = Scalar(1) / scratch.sum[i];
      Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, shape.head_size), [&](const int c) {
        output(token, block.head * shape.head_size + c) = static_cast<Stored>(scratch.result[i * padded + c] * inverse);
      });
      Kokkos::single(Kokkos::PerThread(team),
                     [&] { logsumexp(token, block.head) = scratch.maximum[i] + Kokkos::log(scratch.sum[i]); });
    });
  }
};

}  // namespace Sward
