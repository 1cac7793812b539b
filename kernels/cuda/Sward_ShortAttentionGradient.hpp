#pragma once

// The backward pass of one 64 x 64 tile of the scores. It is taken twice, transposed the second time, so that a sum
// over queries (dk, dv) and a sum over keys (dq) both stay in registers and nothing is added up through memory.

#include "Sward_BulkCopy.hpp"
#include "Sward_RotaryRows.hpp"
#include "Sward_ShortAttention.hpp"
#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

inline constexpr float log2_of_e = 1.4426950408889634F;

/// Parts of a packed row, in this order.
enum class Part { queries, keys, values };

struct BackwardOperands {
  ShortAttentionShape shape;
  const std::uint16_t* packed;
  const float* cosine;
  const float* sine;
  const std::uint16_t* output;
  const float* logsumexp;
  const std::uint16_t* output_gradient;
  std::uint16_t* packed_gradient;
  CUtensorMap packed_map, output_gradient_map;  ///< in tiles of 64 rows
  unsigned resident_blocks;

  __device__ int key_column(int head) const { return (shape.heads + head) * shape.head_size; }
  __device__ int value_column(int head) const { return (shape.heads + shape.key_value_heads + head) * shape.head_size; }

  /// First column of a head's queries, keys or values.
  __device__ int column(Part part, int head) const {
    if (part == Part::queries) return head * shape.head_size;
    return part == Part::keys ? key_column(head) : value_column(head);
  }
};

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

/// Pieces of the output of `rows` queries, the first of which is at `output`, on their way to some threads; those of
/// rows from `valid` on are not asked for.
template <int head_size, int threads, int count>
struct QueryOutputs {
  static constexpr int pieces = head_size / 8;

  const std::uint16_t* output;
  std::int64_t stride;
  const float* logsumexp;
  int heads, rows, valid;
  Piece piece[count];
  float denominator[count];

  __device__ __forceinline__ void load(int begin) {
#pragma unroll
    for (int j = 0; j < count; ++j) {
      const int i = begin + j * threads + static_cast<int>(threadIdx.x);
      const int row = i / pieces < valid ? i / pieces : 0;
      piece[j] = load_piece(output + row * stride + i % pieces * 8);
      denominator[j] = __ldg(logsumexp + static_cast<std::int64_t>(row) * heads);
    }
  }

  /// Statistics of what was loaded. The output's gradient is in the panel; an infinite denominator makes weights 0.
  __device__ __forceinline__ void finish(int begin, Statistics* statistics, const Panel<head_size>& gradient,
                                         int first_row) const {
#pragma unroll
    for (int j = 0; j < count; ++j) {
      const int i = begin + j * threads + static_cast<int>(threadIdx.x);
      if (i >= rows * pieces) return;
      const int row = i / pieces;
      float delta = dot(piece[j], read_piece(gradient.piece(first_row + row, i % pieces)));
#pragma unroll
      for (int distance = 1; distance < pieces; distance *= 2) delta += __shfl_xor_sync(0xffffffffU, delta, distance);
      if (i % pieces == 0) statistics[row] = {row < valid ? denominator[j] * log2_of_e : INFINITY, delta};
    }
  }

  __device__ __forceinline__ void finish_all(Statistics* statistics, const Panel<head_size>& gradient, int first_row) {
    finish(0, statistics, gradient, first_row);
#pragma unroll 1
    for (int begin = count * threads; begin < rows * pieces; begin += count * threads) {
      load(begin);
      finish(begin, statistics, gradient, first_row);
    }
  }
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
/// from the streamed keys. `shift` is the number of the tile's first streamed token less that of its first own one.
template <Side side, int head_size, int width>
__device__ __forceinline__ void add_tile(float (&sum)[head_size / 2], float (&values)[head_size / 2],
                                         const Panels<head_size>& own, int own_row, const Panels<head_size>& streamed,
                                         int streamed_row, const Statistics* queries, const TilePlace& place,
                                         float scale, int shift) {
  float weights[width / 2];
  float gradient[width / 2];
  begin_products();
  multiply_rows(weights, own.first, own_row, streamed.first, streamed_row);
  end_group();
  multiply_rows(gradient, own.second, own_row, streamed.second, streamed_row);
  end_group();
  wait_for_products<1>(weights);
  restore_weights<side>(weights, queries, place, scale, shift);
  wait_for_products<0>(gradient);
#pragma unroll
  for (int i = 0; i < width / 2; ++i)
    gradient[i] = weights[i] * (gradient[i] - statistics_of<side>(queries, place, i).delta);
  std::uint32_t packed_gradient[width / 16][4];
  std::uint32_t packed_weights[width / 16][4];
  pack_tile(packed_gradient, gradient);
  if constexpr (side == Side::keys) pack_tile(packed_weights, weights);
  begin_products();
  if constexpr (side == Side::keys) add_rows<head_size>(values, packed_weights, streamed.second, streamed_row);
  add_rows<head_size>(sum, packed_gradient, streamed.first, streamed_row);
  end_group();
  wait_for_products<0>(sum, values);
}

/// Writes a 64 x head_size sum, of which the thread has two rows, to the head's place in the packed gradient.
template <int head_size, Part part>
__device__ __forceinline__ void write_gradient(const BackwardOperands& o, const float (&sum)[head_size / 2],
                                               float factor, int sequence, int first_row, const TilePlace& place,
                                               int head) {
  const std::int64_t first_token = std::int64_t{sequence} * o.shape.length + first_row;
  const std::int64_t stride = o.shape.packed_gradient_stride;
  std::uint16_t* const rows = o.packed_gradient + first_token * stride + o.column(part, head);
  RowAngles<head_size> angles[2];
  if constexpr (part != Part::values) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int angle = min(first_row + place.row + 8 * half, o.shape.length - 1) * (head_size / 2);
      angles[half].load(o.cosine + angle, o.sine + angle);
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int row = place.row + 8 * half;
    float values[head_size / 32][8];
    gather_row<head_size>(values, sum, half, factor);
    if (first_row + row >= o.shape.length) continue;
    if constexpr (part != Part::values) rotate_back<head_size>(values, angles[half]);
    write_row<head_size>(values, rows + row * stride);
  }
}

}  // namespace Sward
