#pragma once

// Matrix products of bfloat16 by blocks that stay on their multiprocessors and go from tile to tile, their warps
// divided among three tasks: a thread loads tiles of A and B, two warpgroups multiply them, and three warps take the
// results, rounded and left in shared memory, while the others are at the next tile. Two blocks, a cluster, have tiles
// one below the other, and each loads half of their common tile of B for both.
//
// A kind of work says what is multiplied and what becomes of the results:
//   Operands                           the kernel's argument, with `a`, `inner` and `order`
//   b_is_transposed, ring_bytes        how B lies, and shared memory of its own
//   columns                            of the results in global memory, by tile
//   load_half(o, memory, stage, k, column)   loads this block's half of B's tile for both blocks
//   take(o, memory, tile)              by all threads that take: what becomes of the results

#include <cstdint>

#include "Sward_BulkCopy.hpp"
#include "Sward_TensorMap.hpp"
#include "Sward_WideProduct.hpp"

namespace Sward {

constexpr int cluster_blocks = 2;
constexpr std::uint16_t all_blocks = 3;
constexpr int multiplying_warpgroups = 2;
constexpr int loading_threads = 32;  // of which one loads
constexpr int taking_threads = warpgroup_threads - loading_threads;
constexpr int block_threads = (1 + multiplying_warpgroups) * warpgroup_threads;

constexpr int block_rows = 128;
constexpr int block_columns = 256;
constexpr int slab = tile_columns;  // of the sums, loaded at one time
constexpr int stages = 3;
constexpr int warpgroup_rows = block_rows / multiplying_warpgroups;

constexpr int a_bytes = block_rows * slab * 2;
constexpr int b_bytes = block_columns * slab * 2;
constexpr int stage_bytes = a_bytes + b_bytes;
constexpr int result_panel_bytes = block_rows * tile_row_bytes;
constexpr int result_bytes = block_columns / tile_columns * result_panel_bytes;

/// Order in which tiles of clusters are computed: what runs at one time is nearly a square, so that it shares tiles of
/// A and B in the second-level cache.
struct TileOrder {
  int row_tiles, column_tiles;

  __device__ int count() const { return row_tiles * column_tiles; }

  __device__ void place(int i, int& row_tile, int& column_tile) const {
    constexpr int group = 8;
    const int first = i / (group * column_tiles) * group;
    const int rows = max(min(group, row_tiles - first), 1);
    const int within = i % (group * column_tiles);
    row_tile = first + within % rows;
    column_tile = within / rows;
  }
};

/// Addresses in a block's shared memory.
template <class Work>
struct TileMemory {
  static constexpr int barriers = 2 * stages + 2 * multiplying_warpgroups;
  static constexpr int bytes =
      stages * stage_bytes + result_bytes + Work::ring_bytes + barriers * static_cast<int>(barrier_bytes);

  std::uint32_t base;

  __device__ std::uint32_t a(int stage) const { return base + static_cast<std::uint32_t>(stage * stage_bytes); }
  __device__ std::uint32_t b(int stage) const { return a(stage) + a_bytes; }
  /// Results 8 piece to 8 piece + 7 of a row.
  __device__ std::uint32_t result(unsigned row, unsigned piece) const {
    return a(stages) + piece / 8 * result_panel_bytes + row * tile_row_bytes + (piece ^ row) % 8 * 16;
  }
  __device__ std::uint32_t ring() const { return a(stages) + result_bytes; }

  /// Complete when a stage's tiles are loaded, and when both blocks' warpgroups have multiplied them.
  __device__ std::uint32_t loaded(int stage) const { return barrier(stage); }
  __device__ std::uint32_t multiplied(int stage) const { return barrier(stages + stage); }
  /// Complete when a warpgroup's results are in shared memory, and when they have been taken from there.
  __device__ std::uint32_t stored(int warpgroup) const { return barrier(2 * stages + warpgroup); }
  __device__ std::uint32_t taken(int warpgroup) const {
    return barrier(2 * stages + multiplying_warpgroups + warpgroup);
  }

  __device__ void create_barriers() const {
    for (int i = 0; i < stages; ++i) {
      create_barrier(loaded(i), 1);
      create_barrier(multiplied(i), cluster_blocks * multiplying_warpgroups);
    }
    for (int i = 0; i < multiplying_warpgroups; ++i) {
      create_barrier(stored(i), warpgroup_threads);
      create_barrier(taken(i), taking_threads);
    }
    publish_barriers();
  }

 private:
  __device__ std::uint32_t barrier(int i) const {
    return ring() + Work::ring_bytes + static_cast<std::uint32_t>(i) * barrier_bytes;
  }
};

/// The tiles of one block, one after the other.
template <class Work>
struct TileWalk {
  TileOrder order;
  int index = static_cast<int>(blockIdx.x) / cluster_blocks;
  int row = 0, column = 0;  ///< the tile's first
  int parity = 0;           ///< of the barriers that are used once a tile

  __device__ explicit TileWalk(const TileOrder& tiles) : order(tiles) { find(); }
  __device__ bool is_valid() const { return index < order.count(); }
  __device__ void advance() {
    index += static_cast<int>(gridDim.x) / cluster_blocks;
    parity ^= 1;
    find();
  }

 private:
  __device__ void find() {
    int row_tile = 0, column_tile = 0;
    order.place(index, row_tile, column_tile);
    row = (row_tile * cluster_blocks + rank_in_cluster()) * block_rows;
    column = column_tile * Work::columns;
  }
};

/// Where a task stands in the ring of stages.
struct StageWalk {
  int stage = 0;
  int parity = 0;
  __device__ void advance() {
    if (++stage < stages) return;
    stage = 0;
    parity ^= 1;
  }
};

template <class Work>
__device__ __forceinline__ void load_tiles(const typename Work::Operands& o, const TileMemory<Work>& memory) {
  StageWalk at;
  for (TileWalk<Work> tile(o.order); tile.is_valid(); tile.advance())
    for (int k = 0; k < o.inner; k += slab) {
      wait_for_phase(memory.multiplied(at.stage), at.parity ^ 1);
      arrive_and_expect(memory.loaded(at.stage), stage_bytes);
      load_tile(o.a, memory.a(at.stage), memory.loaded(at.stage), k, tile.row);
      Work::load_half(o, memory, at.stage, k, tile.column);
      at.advance();
    }
}

template <class Work>
__device__ __forceinline__ void add_slab(float (&sum)[block_columns / 2], const TileMemory<Work>& memory, int stage,
                                         int warpgroup, bool is_added) {
  constexpr int a_step = 16 * 2;
  constexpr int b_step = Work::b_is_transposed ? a_step : 16 * tile_row_bytes;
  const auto own_rows = static_cast<std::uint32_t>(warpgroup * warpgroup_rows * tile_row_bytes);
  const std::uint64_t a = describe_panels(memory.a(stage) + own_rows, 0);
  const std::uint64_t b = describe_panels(memory.b(stage), slab * tile_row_bytes);
#pragma unroll
  for (int k = 0; k < slab / 16; ++k)
    add_wide_product<Work::b_is_transposed>(sum, a + static_cast<unsigned>(k * a_step / 16),
                                            b + static_cast<unsigned>(k * b_step / 16), is_added || k > 0);
}

/// Rounds a warpgroup's sums, to nearest even, into shared memory.
template <class Work>
__device__ __forceinline__ void store_sums(const float (&sum)[block_columns / 2], const TileMemory<Work>& memory,
                                           int warpgroup) {
  const unsigned lane = threadIdx.x % 32;
  const unsigned warp = static_cast<unsigned>(warpgroup) * 4 + threadIdx.x % warpgroup_threads / 32;
#pragma unroll
  for (unsigned n = 0; n < block_columns / 8; n += 2)
    store_matrices(memory.result(warp * 16 + lane % 16, n + lane / 16), pack(sum[4 * n], sum[4 * n + 1]),
                   pack(sum[4 * n + 2], sum[4 * n + 3]), pack(sum[4 * n + 4], sum[4 * n + 5]),
                   pack(sum[4 * n + 6], sum[4 * n + 7]));
}

template <class Work>
__device__ __forceinline__ void multiply_tiles(const typename Work::Operands& o, const TileMemory<Work>& memory,
                                               int warpgroup) {
  const int thread = static_cast<int>(threadIdx.x) % warpgroup_threads;
  const auto release = [&](int stage) {
    if (thread < cluster_blocks) arrive_in_cluster(memory.multiplied(stage), thread);
  };
  StageWalk at;
  for (TileWalk<Work> tile(o.order); tile.is_valid(); tile.advance()) {
    float sum[block_columns / 2];
    int previous = 0;
    for (int k = 0; k < o.inner; k += slab) {
      wait_for_phase(memory.loaded(at.stage), at.parity);
      begin_products();
      add_slab(sum, memory, at.stage, warpgroup, k > 0);
      end_group();
      wait_for_products<1>();
      if (k > 0) release(previous);
      previous = at.stage;
      at.advance();
    }
    wait_for_products<0>(sum);
    release(previous);
    wait_for_phase(memory.taken(warpgroup), tile.parity ^ 1);
    store_sums(sum, memory, warpgroup);
    publish_to_copies();
    arrive(memory.stored(warpgroup));
  }
}

/// Number of a thread among those that take.
__device__ __forceinline__ unsigned taking_thread() { return threadIdx.x - loading_threads; }

template <class Work>
__global__ void __cluster_dims__(cluster_blocks, 1, 1) __launch_bounds__(block_threads, 1)
    tile_product_kernel(const __grid_constant__ typename Work::Operands o) {
  extern __shared__ __align__(1024) unsigned char shared[];
  const TileMemory<Work> memory{static_cast<std::uint32_t>(__cvta_generic_to_shared(shared))};
  if (threadIdx.x == 0) memory.create_barriers();
  synchronize_cluster();
  const int warpgroup = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x) / warpgroup_threads, 0);
  if (warpgroup > 0) {
    take_registers<184>();
    multiply_tiles(o, memory, warpgroup - 1);
  } else {
    leave_registers<136>();
    if (threadIdx.x >= loading_threads)
      for (TileWalk<Work> tile(o.order); tile.is_valid(); tile.advance()) Work::take(o, memory, tile);
    else if (threadIdx.x == 0)
      load_tiles(o, memory);
  }
  // Until here the other block may load into this one's memory and arrive at its barriers.
  __syncwarp();
  synchronize_cluster();
}

}  // namespace Sward
