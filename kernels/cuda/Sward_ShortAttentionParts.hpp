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
  Statistics* streamed_statistics;

  __device__ Parts(unsigned char* memory, int length)
      : address(static_cast<std::uint32_t>(__cvta_generic_to_shared(memory))),
        rows(length),
        streamed_statistics(
            reinterpret_cast<Statistics*>(memory + 2 * Panel<head_size>::bytes(length + part_warpgroups * tile_rows))) {
  }

  __device__ Panels<head_size> streamed() const { return panels(0, rows); }
  __device__ Panels<head_size> own(int warpgroup) const {
    return panels(2 * (rows + warpgroup * tile_rows), tile_rows);
  }

  __device__ Statistics* own_statistics(int warpgroup) const {
    return streamed_statistics + rows + warpgroup * tile_rows;
  }

  static int bytes(int length) {
    const int all = length + part_warpgroups * tile_rows;
    return 2 * Panel<head_size>::bytes(all) + all * static_cast<int>(sizeof(Statistics));
  }

 private:
  __device__ Panels<head_size> panels(int skipped_rows, int count) const {
    const std::uint32_t first = address + Panel<head_size>::bytes(skipped_rows);
    return {Panel<head_size>(first, count), Panel<head_size>(first + Panel<head_size>::bytes(count), count)};
  }
};

/// Queues the copies of `rows` rows of a sequence, from `first` on, to rows of the panels from `target` on.
template <int head_size>
__device__ __forceinline__ void copy_keys(const BackwardOperands& o, const Panels<head_size>& panels, int target,
                                          int sequence, int head, int first, int rows) {
  const std::int64_t stride = o.shape.packed_stride;
  const std::uint16_t* const packed = o.packed + (std::int64_t{sequence} * o.shape.length + first) * stride;
  const int valid = o.shape.length - first;
  copy_rows<head_size, part_threads>(panels.first, target, packed + o.key_column(head), stride, rows, valid);
  copy_rows<head_size, part_threads>(panels.second, target, packed + o.value_column(head), stride, rows, valid);
}
template <int head_size>
__device__ __forceinline__ void copy_queries(const BackwardOperands& o, const Panels<head_size>& panels, int target,
                                             int sequence, int head, int first, int rows) {
  const ShortAttentionShape& shape = o.shape;
  const std::int64_t token = std::int64_t{sequence} * shape.length + first;
  const int valid = shape.length - first;
  copy_rows<head_size, part_threads>(panels.first, target, o.packed + token * shape.packed_stride + head * head_size,
                                     shape.packed_stride, rows, valid);
  copy_rows<head_size, part_threads>(panels.second, target,
                                     o.output_gradient + token * shape.output_gradient_stride + head * head_size,
                                     shape.output_gradient_stride, rows, valid);
}

/// After the copies: rotation, and the queries' statistics.
template <int head_size>
__device__ __forceinline__ void rotate_part(const BackwardOperands& o, const Panels<head_size>& panels, int target,
                                            int first, int rows) {
  const int valid = min(rows, o.shape.length - first);
  const int angle = first * (head_size / 2);
  RowRotation<head_size, part_threads, 1> rotation{o.cosine + angle, o.sine + angle, valid, {}};
  rotation.load(0);
  rotation.apply_all(target, panels.first);
}
template <int head_size>
__device__ __forceinline__ void finish_queries(const BackwardOperands& o, const Panels<head_size>& panels,
                                               Statistics* statistics, int target, int sequence, int head, int first,
                                               int rows) {
  const ShortAttentionShape& shape = o.shape;
  const std::int64_t token = std::int64_t{sequence} * shape.length + first;
  rotate_part(o, panels, target, first, rows);
  QueryOutputs<head_size, part_threads, 1> outputs{o.output + token * shape.output_stride + head * head_size,
                                                   shape.output_stride,
                                                   o.logsumexp + token * shape.heads + head,
                                                   shape.heads,
                                                   rows,
                                                   shape.length - first,
                                                   {},
                                                   {}};
  outputs.load(0);
  outputs.finish_all(statistics, panels.second, target);
}

template <int head_size, Side side>
__global__ void __launch_bounds__(part_threads, head_size == 64 ? 2 : 1)
    part_kernel(const __grid_constant__ BackwardOperands o) {
  extern __shared__ __align__(1024) unsigned char memory[];
  const ShortAttentionShape& shape = o.shape;
  const int blocks = (shape.length + tile_rows - 1) / tile_rows;
  const int warpgroup = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x) / warpgroup_threads, 0);
  const Parts<head_size> parts(memory, blocks * tile_rows);
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
  constexpr int width = 32;  // a wider tile would spill registers
  const TilePlace place;
  float sum[head_size / 2] = {};
  float values[head_size / 2] = {};
  const int own_blocks[] = {early, late};
  if constexpr (side == Side::keys) {
    const int first = early * tile_rows;
    const int rows = (blocks - early) * tile_rows;
#pragma unroll
    for (int i = 0; i < part_warpgroups; ++i)
      copy_keys(o, parts.own(i), 0, sequence, number, own_blocks[i] * tile_rows, tile_rows);
#pragma unroll 1
    for (int head = number * group; head < (number + 1) * group; ++head) {
      if (head > number * group) __syncthreads();  // all have read the head before
      copy_queries(o, streamed, first, sequence, head, first, rows);
      end_copies();
      wait_for_copies<0>();
      if (head == number * group)
#pragma unroll
        for (int i = 0; i < part_warpgroups; ++i) rotate_part(o, parts.own(i), 0, own_blocks[i] * tile_rows, tile_rows);
      finish_queries(o, streamed, parts.streamed_statistics + first, first, sequence, head, first, rows);
      publish_to_products();
      if (is_idle) continue;
#pragma unroll 1
      for (int row = block * tile_rows; row < blocks * tile_rows; row += width)
        add_tile<side, head_size, width>(sum, values, own, 0, streamed, row, parts.streamed_statistics + row, place,
                                         scale * log2_of_e, row - block * tile_rows);
    }
    if (is_idle) return;
    write_gradient<head_size, Part::values>(o, values, 1, sequence, block * tile_rows, place, number);
    write_gradient<head_size, Part::keys>(o, sum, scale, sequence, block * tile_rows, place, number);
  } else {
    const int rows = (late + 1) * tile_rows;
#pragma unroll
    for (int i = 0; i < part_warpgroups; ++i)
      copy_queries(o, parts.own(i), 0, sequence, number, own_blocks[i] * tile_rows, tile_rows);
    copy_keys(o, streamed, 0, sequence, number / group, 0, rows);
    end_copies();
    wait_for_copies<0>();
#pragma unroll
    for (int i = 0; i < part_warpgroups; ++i)
      finish_queries(o, parts.own(i), parts.own_statistics(i), 0, sequence, number, own_blocks[i] * tile_rows,
                     tile_rows);
    rotate_part(o, streamed, 0, 0, rows);
    publish_to_products();
    if (is_idle) return;
#pragma unroll 1
    for (int row = 0; row < (block + 1) * tile_rows; row += width)
      add_tile<side, head_size, width>(sum, values, own, 0, streamed, row, parts.own_statistics(warpgroup), place,
                                       scale * log2_of_e, row - block * tile_rows);
    write_gradient<head_size, Part::queries>(o, sum, scale, sequence, block * tile_rows, place, number);
  }
}

}  // namespace Sward
