#pragma once

// The backward pass where a whole head does not fit into shared memory, or several query heads share a key head: one
// side's gradients at a time. A block of threads has two blocks of 64 own tokens, one a warpgroup, and streams the
// other side's.

#include "Sward_ShortAttentionGradient.hpp"

namespace Sward {

inline constexpr int part_warpgroups = 2;
inline constexpr int part_threads = part_warpgroups * warpgroup_threads;

template <int head_size>
struct Parts {
  std::uint32_t address;
  int rows;
  Statistics* own_statistics;
  Statistics* streamed_statistics;

  __device__ Parts(unsigned char* memory, int warpgroup, int rows)
      : address(static_cast<std::uint32_t>(__cvta_generic_to_shared(memory))), rows(rows) {
    streamed_statistics = reinterpret_cast<Statistics*>(
        memory + 2 * Panel<head_size>::bytes(rows + part_warpgroups * tile_rows));
    own_statistics = streamed_statistics + rows + warpgroup * tile_rows;
  }

  __device__ Panels<head_size> streamed() const { return panels(0, rows); }
  __device__ Panels<head_size> own(int warpgroup) const {
    return panels(2 * (rows + warpgroup * tile_rows), tile_rows);
  }

  static int bytes(int rows) {
    const int all = rows + part_warpgroups * tile_rows;
    return 2 * Panel<head_size>::bytes(all) + all * static_cast<int>(sizeof(Statistics));
  }

 private:
  __device__ Panels<head_size> panels(int skipped_rows, int count) const {
    const std::uint32_t first = address + Panel<head_size>::bytes(skipped_rows);
    return {Panel<head_size>(first, count), Panel<head_size>(first + Panel<head_size>::bytes(count), count)};
  }
};

/// Rows of a sequence, from `first` on, into panels from row `target` on, by `threads` threads.
struct RowRange {
  int first, count, target;
  int thread, threads;
};

template <int head_size>
__device__ __forceinline__ void load_keys(const BackwardOperands& o, const Panels<head_size>& panels,
                                          const RowRange& range, int sequence, int head) {
  constexpr int pieces = head_size / 16;
#pragma unroll 2
  for (int i = range.thread; i < range.count * pieces; i += range.threads) {
    const int row = range.first + i / pieces;
    const int piece = i % pieces;
    const bool is_valid = row < o.shape.length;
    const std::uint16_t* const token =
        o.packed + (std::int64_t{sequence} * o.shape.length + row) * o.shape.packed_stride;
    Pair key = load_pair<head_size>(token + o.key_column(head), piece, is_valid);
    const Pair value = load_pair<head_size>(token + o.value_column(head), piece, is_valid);
    const int angle = row * (head_size / 2) + piece * 8;
    rotate(key, load_angles(o.cosine + angle, o.sine + angle, is_valid));
    store_pair(panels.first, range.target + i / pieces, piece, key);
    store_pair(panels.second, range.target + i / pieces, piece, value);
  }
}

template <int head_size>
__device__ __forceinline__ void load_queries(const BackwardOperands& o, const Panels<head_size>& panels,
                                             Statistics* statistics, const RowRange& range, int sequence, int head) {
  constexpr int pieces = head_size / 16;
  const ShortAttentionShape& shape = o.shape;
#pragma unroll 2
  for (int i = range.thread; i < range.count * pieces; i += range.threads) {
    const int row = range.first + i / pieces;
    const int piece = i % pieces;
    const bool is_valid = row < shape.length;
    const std::int64_t token = std::int64_t{sequence} * shape.length + row;
    Pair query = load_pair<head_size>(o.packed + token * shape.packed_stride + head * head_size, piece, is_valid);
    const Pair gradient = load_pair<head_size>(
        o.output_gradient + token * shape.output_gradient_stride + head * head_size, piece, is_valid);
    const Pair output =
        load_pair<head_size>(o.output + token * shape.output_stride + head * head_size, piece, is_valid);
    const int angle = row * (head_size / 2) + piece * 8;
    rotate(query, load_angles(o.cosine + angle, o.sine + angle, is_valid));
    const int target = range.target + i / pieces;
    store_pair(panels.first, target, piece, query);
    store_pair(panels.second, target, piece, gradient);
    store_statistics<head_size>(statistics, target, piece, output, gradient,
                                is_valid ? o.logsumexp + token * shape.heads + head : nullptr);
  }
}

template <int head_size, Side side>
__global__ void __launch_bounds__(part_threads, 1) part_kernel(const __grid_constant__ BackwardOperands o) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const ShortAttentionShape& shape = o.shape;
  const int blocks = (shape.length + tile_rows - 1) / tile_rows;
  const int warpgroup = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x) / warpgroup_threads, 0);
  const Parts<head_size> parts(memory, warpgroup, blocks * tile_rows);
  const Panels<head_size> own = parts.own(warpgroup);
  const Panels<head_size> streamed = parts.streamed();
  // An early block and a late one are together the same work everywhere.
  const int early = static_cast<int>(blockIdx.z);
  const int late = blocks - 1 - early;
  const int block = warpgroup == 0 ? early : late;
  const bool is_idle = warpgroup == 1 && early == late;
  const int number = static_cast<int>(blockIdx.x);
  const int sequence = static_cast<int>(blockIdx.y);
  const int group = shape.heads / shape.key_value_heads;
  const float scale = rsqrtf(static_cast<float>(head_size));
  const TilePlace place;
  const RowRange own_rows{block * tile_rows, tile_rows, 0, static_cast<int>(threadIdx.x) % warpgroup_threads,
                          warpgroup_threads};
  float sum[head_size / 2] = {};
  float values[head_size / 2] = {};
  if constexpr (side == Side::keys) {
    load_keys(o, own, own_rows, sequence, number);
    const RowRange later{early * tile_rows, (blocks - early) * tile_rows, early * tile_rows,
                         static_cast<int>(threadIdx.x), part_threads};
#pragma unroll 1
    for (int head = number * group; head < (number + 1) * group; ++head) {
      if (head > number * group) __syncthreads();  // all have read the head before
      load_queries(o, streamed, parts.streamed_statistics, later, sequence, head);
      publish_to_products();
      if (is_idle) continue;
#pragma unroll 1
      for (int row = block * tile_rows; row < blocks * tile_rows; row += tile_rows)
        add_tile<side, head_size, tile_rows>(sum, values, own, 0, streamed, row, parts.streamed_statistics + row, place,
                                             scale * log2_of_e, row - block * tile_rows);
    }
    if (is_idle) return;
    write_gradient<head_size, false>(o, values, 1, sequence, block * tile_rows, place, o.value_column(number));
    write_gradient<head_size, true>(o, sum, scale, sequence, block * tile_rows, place, o.key_column(number));
  } else {
    load_queries(o, own, parts.own_statistics, own_rows, sequence, number);
    load_keys(o, streamed, {0, (late + 1) * tile_rows, 0, static_cast<int>(threadIdx.x), part_threads}, sequence,
              number / group);
    publish_to_products();
    if (is_idle) return;
#pragma unroll 1
    for (int row = 0; row < (block + 1) * tile_rows; row += tile_rows)
      add_tile<side, head_size, tile_rows>(sum, values, own, 0, streamed, row, parts.own_statistics, place,
                                           scale * log2_of_e, row - block * tile_rows);
    write_gradient<head_size, true>(o, sum, scale, sequence, block * tile_rows, place, number * head_size);
  }
}

}  // namespace Sward
