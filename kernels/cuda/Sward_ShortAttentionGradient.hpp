#pragma once

// The backward pass of one 64 x 64 tile of the scores. It is taken twice, transposed the second time, so that a sum
// over queries (dk, dv) and a sum over keys (dq) both stay in registers and nothing is added up through memory.

#include "Sward_RotaryRows.hpp"
#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

/// What the rows of the tile are, and whose gradients are summed up.
enum class Side { keys, queries };

/// Of one query: the logarithm to base 2 of the softmax's denominator, and the sum of output * its gradient.
struct Statistics {
  float logsumexp;
  float delta;
};

/// k and v, or q and the output's gradient.
template <int head_size>
struct Panels {
  Panel<head_size> first, second;
};

/// Statistics of the queries that a thread's values belong to: four pairs of columns apart by 8, or two rows.
template <Side side>
__device__ __forceinline__ Statistics statistics_of(const Statistics* queries, const TilePlace& place, int value) {
  if constexpr (side == Side::keys)
    return queries[value / 4 * 8 + place.column + value % 2];
  else
    return queries[place.row + value % 4 / 2 * 8];
}

/// Scores become the softmax's weights. `scale` has the factor log2(e) in it.
template <Side side, int values>
__device__ __forceinline__ void restore_weights(float (&scores)[values], const Statistics* queries,
                                                const TilePlace& place, float scale, int shift) {
  constexpr int width = 2 * values;
#pragma unroll
  for (int i = 0; i < values; ++i)
    scores[i] = power_of_two(scores[i] * scale - statistics_of<side>(queries, place, i).logsumexp);
  if (side == Side::keys ? shift >= tile_rows : shift <= -width) return;
#pragma unroll
  for (int i = 0; i < values; ++i) {
    const int row = place.row + i % 4 / 2 * 8;
    const int column = shift + 8 * (i / 4) + place.column + i % 2;
    if (side == Side::keys ? row > column : column > row) scores[i] = 0;
  }
}

/// Adds the tile's part: to dk and dv of own keys from the streamed queries, or to dq of own queries (`values` stays)
/// from the streamed keys.
template <Side side, int head_size, int width>
__device__ __forceinline__ void add_tile(float (&sum)[head_size / 2], float (&values)[head_size / 2],
                                         const Panels<head_size>& own, int own_row, const Panels<head_size>& streamed,
                                         int streamed_row, const Statistics* queries, const TilePlace& place,
                                         float scale) {
  float weights[width / 2];
  float gradient[width / 2];
  begin_products();
  multiply_rows(weights, own.first, own_row, streamed.first, streamed_row);
  end_group();
  multiply_rows(gradient, own.second, own_row, streamed.second, streamed_row);
  end_group();
  wait_for_products<1>(weights);
  restore_weights<side>(weights, queries, place, scale,
                        streamed_row - own_row);
  if constexpr (side == Side::keys) {
    std::uint32_t packed[width / 16][4];
    pack_tile(packed, weights);
    begin_products();
    add_rows<head_size>(values, packed, streamed.second, streamed_row);
    end_group();
    wait_for_products<1>(gradient);
  } else {
    wait_for_products<0>(gradient);
  }
#pragma unroll
  for (int i = 0; i < width / 2; ++i)
    gradient[i] = weights[i] * (gradient[i] - statistics_of<side>(queries, place, i).delta);
  std::uint32_t packed[width / 16][4];
  pack_tile(packed, gradient);
  begin_products();
  add_rows<head_size>(sum, packed, streamed.first, streamed_row);
  end_group();
  wait_for_products<0>(sum, values);
}

}  // namespace Sward
