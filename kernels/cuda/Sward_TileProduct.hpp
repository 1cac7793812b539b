#pragma once

// A matrix product C = A B of bfloat16 by blocks that stay on their multiprocessors, of four warpgroups with one task
// each: the first has a thread that loads tiles of A and B, the next two multiply them, and the last, while these go on
// with the next tile of C, takes what they have rounded and left in shared memory. Two blocks, a cluster, have tiles of C
// one below the other, and each loads half of their common tile of B for both.

#include <cstdint>

#include "Sward_BulkCopy.hpp"
#include "Sward_WideProduct.hpp"

namespace Sward {

constexpr int cluster_blocks = 2;
constexpr int multiplying_warpgroups = 2;
constexpr int tile_product_threads = (1 + multiplying_warpgroups) * warpgroup_threads;
constexpr int taking_threads = 96;  // the first warpgroup's, but for the warp that loads

/// Order in which tiles are computed: groups of rows of tiles, in which the columns' tiles follow each other, so that
/// what runs at one time shares tiles of A and B in the second-level cache. A tile's rows are those of a cluster.
struct TileOrder {
  int row_tiles, column_tiles, group;

  __device__ int count() const { return row_tiles * column_tiles; }

  __device__ void place(int i, int& row_tile, int& column_tile) const {
    const int first = i / (group * column_tiles) * group;
    const int rows = min(group, row_tiles - first);
    const int within = i % (group * column_tiles);
    row_tile = first + within % rows;
    column_tile = within / rows;
  }
};

/// A block's tile: `blocks` x 64 rows and `columns` columns for each of the two warpgroups that multiply.
template <int blocks_, int columns_, int slab_, int stages_, bool b_is_transposed_, int ring_bytes_>
struct TileShape {
  static constexpr int slab = slab_;
  static constexpr int blocks = blocks_;
  static constexpr int columns = columns_;
  static constexpr int stages = stages_;
  static constexpr bool b_is_transposed = b_is_transposed_;
  static constexpr int warpgroup_rows = 64 * blocks;
  static constexpr int rows = multiplying_warpgroups * warpgroup_rows;
  static constexpr int row_bytes = 2 * slab;
  static constexpr int a_bytes = rows * slab * 2;
  static constexpr int b_bytes = columns * slab * 2;
  static constexpr int stage_bytes = a_bytes + b_bytes;
  static constexpr int staging_bytes = Panel<columns>::bytes(warpgroup_rows);
  static constexpr int ring_bytes = ring_bytes_;
  static constexpr int barriers = 2 * stages + 2 * multiplying_warpgroups;
  static constexpr int shared_bytes =
      stages * stage_bytes + multiplying_warpgroups * staging_bytes + ring_bytes + barriers * static_cast<int>(barrier_bytes);
};

/// Addresses in the block's shared memory.
template <class Shape>
struct TileMemory {
  std::uint32_t base;

  __device__ std::uint32_t a(int stage) const { return base + static_cast<std::uint32_t>(stage * Shape::stage_bytes); }
  __device__ std::uint32_t b(int stage) const { return a(stage) + Shape::a_bytes; }
  __device__ Panel<Shape::columns> staging(int warpgroup) const {
    return {a(Shape::stages) + static_cast<std::uint32_t>(warpgroup * Shape::staging_bytes), Shape::warpgroup_rows};
  }
  __device__ std::uint32_t ring() const {
    return a(Shape::stages) + static_cast<std::uint32_t>(multiplying_warpgroups * Shape::staging_bytes);
  }
  /// Complete when a stage's tiles are loaded, and when both blocks' warpgroups have multiplied them.
  __device__ std::uint32_t loaded(int stage) const { return barrier(stage); }
  __device__ std::uint32_t used(int stage) const { return barrier(Shape::stages + stage); }
  /// Complete when a warpgroup's results are in its staging, and when they have been taken from there.
  __device__ std::uint32_t staged(int warpgroup) const { return barrier(2 * Shape::stages + warpgroup); }
  __device__ std::uint32_t taken(int warpgroup) const {
    return barrier(2 * Shape::stages + multiplying_warpgroups + warpgroup);
  }

  __device__ void create_barriers() const {
    for (int i = 0; i < Shape::stages; ++i) {
      create_barrier(loaded(i), 1);
      create_barrier(used(i), cluster_blocks * multiplying_warpgroups);
    }
    for (int i = 0; i < multiplying_warpgroups; ++i) {
      create_barrier(staged(i), warpgroup_threads);
      create_barrier(taken(i), taking_threads);
    }
    publish_barriers();
  }

 private:
  __device__ std::uint32_t barrier(int i) const {
    return ring() + Shape::ring_bytes + static_cast<std::uint32_t>(i) * barrier_bytes;
  }
};

/// Position in the ring of stages.
template <int stages>
struct Ring {
  int stage = 0;
  int parity = 0;
  __device__ void advance() {
    if (++stage == stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

/// Places of the tiles of one block, one after the other.
template <class Work>
struct TileWalk {
  using Shape = typename Work::Shape;

  TileOrder order;
  int index = static_cast<int>(blockIdx.x) / cluster_blocks;
  int row = 0, column = 0;  ///< the tile's first
  int parity = 0;

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
    row = (row_tile * cluster_blocks + rank_in_cluster()) * Shape::rows;
    column = column_tile * Work::columns;
  }
};

/// One thread's task: loads what the other warpgroups multiply.
template <class Work>
__device__ __forceinline__ void load_tiles(const typename Work::Operands& o,
                                           const TileMemory<typename Work::Shape>& memory) {
  using Shape = typename Work::Shape;
  Ring<Shape::stages> ring;
  for (TileWalk<Work> tile(o.order); tile.is_valid(); tile.advance())
    for (int k = 0; k < o.inner; k += Work::Shape::slab) {
      wait_for_phase(memory.used(ring.stage), ring.parity ^ 1);
      const std::uint32_t loaded = memory.loaded(ring.stage);
      arrive_and_expect(loaded, Shape::stage_bytes);
      load_tile(o.a, memory.a(ring.stage), loaded, k, tile.row);
      Work::load_half(o, memory.b(ring.stage), loaded, k, tile.column);
      ring.advance();
    }
}

template <class Shape>
__device__ __forceinline__ void add_slab(float (&sum)[Shape::blocks][Shape::columns / 2],
                                         const TileMemory<Shape>& memory, int stage, int warpgroup, bool is_added) {
  constexpr int a_row = Shape::row_bytes;
  constexpr int b_row = Shape::b_is_transposed ? a_row : 128;
  const std::uint64_t a =
      describe_panels<a_row>(memory.a(stage) + static_cast<std::uint32_t>(warpgroup * Shape::warpgroup_rows * a_row), 1024);
  const std::uint64_t b = describe_panels<b_row>(memory.b(stage), Shape::slab * 128);
#pragma unroll
  for (int k = 0; k < Shape::slab; k += 16)
#pragma unroll
    for (int i = 0; i < Shape::blocks; ++i)
      add_wide_product<Shape::b_is_transposed>(sum[i], a + static_cast<unsigned>((i * 64 * a_row + k * 2) / 16),
                                               b + static_cast<unsigned>((Shape::b_is_transposed ? 2 : 128) * k / 16),
                                               is_added || k > 0);
}

__device__ __forceinline__ void store_matrices(std::uint32_t address, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                               std::uint32_t d) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(a), "r"(b),
               "r"(c), "r"(d)
               : "memory");
}

/// Rounds a warpgroup's 64 rows of sums, to nearest even, into panels.
template <int columns>
__device__ __forceinline__ void store_sums(const float (&sum)[columns / 2], const Panel<columns>& panel, int first_row) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int row = first_row + static_cast<int>(threadIdx.x) % warpgroup_threads / 32 * 16 + lane % 16;
#pragma unroll
  for (int n = 0; n < columns / 8; n += 2)
    store_matrices(panel.piece(row, n + lane / 16), pack(sum[4 * n], sum[4 * n + 1]), pack(sum[4 * n + 2], sum[4 * n + 3]),
                   pack(sum[4 * n + 4], sum[4 * n + 5]), pack(sum[4 * n + 6], sum[4 * n + 7]));
}

/// The task of the warpgroups that multiply.
template <class Work>
__device__ __forceinline__ void multiply_tiles(const typename Work::Operands& o,
                                               const TileMemory<typename Work::Shape>& memory, int warpgroup) {
  using Shape = typename Work::Shape;
  const int thread = static_cast<int>(threadIdx.x) % warpgroup_threads;
  const auto release = [&](int stage) {
    if (thread < cluster_blocks) arrive_in_cluster(memory.used(stage), thread);
  };
  Ring<Shape::stages> ring;
  for (TileWalk<Work> tile(o.order); tile.is_valid(); tile.advance()) {
    float sum[Shape::blocks][Shape::columns / 2];
    int previous = 0;
    for (int k = 0; k < o.inner; k += Work::Shape::slab) {
      wait_for_phase(memory.loaded(ring.stage), ring.parity);
      begin_products();
      add_slab<Shape>(sum, memory, ring.stage, warpgroup, k > 0);
      end_group();
      wait_for_products<1>();
      if (k > 0) release(previous);
      previous = ring.stage;
      ring.advance();
    }
    if constexpr (Shape::blocks == 1)
      wait_for_products<0>(sum[0]);
    else
      wait_for_products<0>(sum[0], sum[1]);
    release(previous);
    wait_for_phase(memory.taken(warpgroup), tile.parity ^ 1);
#pragma unroll
    for (int i = 0; i < Shape::blocks; ++i) store_sums<Shape::columns>(sum[i], memory.staging(warpgroup), 64 * i);
    publish_to_copies();
    arrive(memory.staged(warpgroup));
  }
}

__device__ __forceinline__ int taking_thread() { return static_cast<int>(threadIdx.x) - 32; }

/// The task of the threads that take.
template <class Work>
__device__ __forceinline__ void take_tiles(const typename Work::Operands& o,
                                           const TileMemory<typename Work::Shape>& memory) {
  for (TileWalk<Work> tile(o.order); tile.is_valid(); tile.advance()) Work::take(o, memory, tile);
}

template <class Work>
__global__ void __cluster_dims__(cluster_blocks, 1, 1) __launch_bounds__(tile_product_threads, 1)
    tile_product_kernel(const __grid_constant__ typename Work::Operands o) {
  using Shape = typename Work::Shape;
  extern __shared__ __align__(1024) unsigned char memory_begin[];
  const TileMemory<Shape> memory{static_cast<std::uint32_t>(__cvta_generic_to_shared(memory_begin))};
  if (threadIdx.x == 0) memory.create_barriers();
  synchronize_cluster();
  const int warpgroup = __shfl_sync(0xffffffffU, static_cast<int>(threadIdx.x) / warpgroup_threads, 0);
  if (warpgroup == 0) {
    leave_registers<136>();
    if (threadIdx.x >= 32)
      take_tiles<Work>(o, memory);
    else if (threadIdx.x == 0)
      load_tiles<Work>(o, memory);
  } else {
    take_registers<184>();
    multiply_tiles<Work>(o, memory, warpgroup - 1);
  }
  // The other block may still load into this one's memory or arrive at its barriers.
  __syncwarp();
  synchronize_cluster();
}

}  // namespace Sward
