#include "Sward_GatedProduct.hpp"
#include "Sward_GatedProductLaunch.hpp"
#include "Sward_GatedUnit.hpp"
#include "Sward_TileProduct.hpp"

namespace Sward {

namespace {

struct BackwardOperands {
  CUtensorMap a, weight;
  std::uint16_t* gate;
  std::uint16_t* up;
  unsigned stride;
  int rows, columns, inner;
  TileOrder order;
};

/// The results are gradients of the product. A thread takes pieces of one column, some rows apart. Gate and up come by
/// way of shared memory, each thread its own: the loads into registers of several rows would be waited for together.
struct BackwardWork {
  using Operands = BackwardOperands;
  static constexpr bool b_is_transposed = false;
  static constexpr int columns = block_columns;
  static constexpr unsigned pieces = columns / 8;
  static constexpr unsigned step = taking_threads / pieces;
  static constexpr unsigned turns = (block_rows + step - 1) / step;
  static constexpr unsigned slots = 6;
  static constexpr unsigned ahead = slots - 2;  // copies that are under way when two have come
  static constexpr unsigned half_slot_bytes = taking_threads * sizeof(Piece);
  static constexpr int ring_bytes = static_cast<int>(slots * 2 * half_slot_bytes);

  __device__ static void load_half(const Operands& o, const TileMemory<BackwardWork>& memory, int stage, int k,
                                   int column) {
    constexpr int half = columns / cluster_blocks;
    const int first = rank_in_cluster() * half;
#pragma unroll
    for (int i = first; i < first + half; i += tile_columns)
      load_tile_to_all(o.weight, memory.b(stage) + static_cast<std::uint32_t>(i / tile_columns * slab * tile_row_bytes),
                       memory.loaded(stage), column + i, k, all_blocks);
  }

  const TileMemory<BackwardWork>& memory;
  unsigned row, piece;  ///< the thread's first
  unsigned rows;        ///< of its column, in the tile
  unsigned stride;
  std::uint16_t* gate;
  std::uint16_t* up;

  __device__ BackwardWork(const Operands& o, const TileMemory<BackwardWork>& shared, const TileWalk<BackwardWork>& tile)
      : memory(shared), row(taking_thread() / pieces), piece(taking_thread() % pieces), stride(o.stride) {
    const int column = tile.column + static_cast<int>(8 * piece);
    rows = column < o.columns ? static_cast<unsigned>(max(min(o.rows - tile.row, block_rows), 0)) : 0;
    const std::int64_t offset = std::int64_t{tile.row} * stride + column;
    gate = o.gate + offset;
    up = o.up + offset;
  }

  __device__ std::uint32_t slot(unsigned turn) const {
    return memory.ring() + turn % slots * 2 * half_slot_bytes + taking_thread() * static_cast<unsigned>(sizeof(Piece));
  }

  __device__ __forceinline__ void queue(unsigned turn, unsigned turn_in_ring) const {
    const unsigned i = row + turn * step;
    const std::uint64_t offset = std::uint64_t{i} * stride;
    if (i < rows) {
      copy_piece(slot(turn_in_ring), gate + offset);
      copy_piece(slot(turn_in_ring) + half_slot_bytes, up + offset);
    }
    end_copies();
  }

  __device__ __forceinline__ Piece read_above(unsigned turn) const {
    return read_piece(memory.result(min(row + turn * step, block_rows - 1U), piece));
  }

  __device__ __forceinline__ void write(unsigned turn, const Piece& gate_gradient, const Piece& up_gradient) const {
    const unsigned i = row + turn * step;
    const std::uint64_t offset = std::uint64_t{i} * stride;
    if (i >= rows) return;
    write_piece(gate + offset, gate_gradient);
    write_piece(up + offset, up_gradient);
  }

  /// Two rows at one time, so that there is always something to compute.
  __device__ __forceinline__ void take_two(unsigned turn, unsigned turn_in_ring) const {
    queue(turn + ahead, turn_in_ring + ahead);
    queue(turn + ahead + 1, turn_in_ring + ahead + 1);
    wait_for_own_copies<ahead>();
    const std::uint32_t first = slot(turn_in_ring), second = slot(turn_in_ring + 1);
    Piece gates[2] = {read_piece(first), read_piece(second)};
    Piece ups[2] = {read_piece(first + half_slot_bytes), read_piece(second + half_slot_bytes)};
    const Piece above[2] = {read_above(turn), read_above(turn + 1)};
    gated_backward(gates[0], ups[0], above[0]);
    gated_backward(gates[1], ups[1], above[1]);
    write(turn, gates[0], ups[0]);
    write(turn + 1, gates[1], ups[1]);
  }

  __device__ static void take(const Operands& o, const TileMemory<BackwardWork>& memory,
                              const TileWalk<BackwardWork>& tile) {
    // One pair of turns may take rows of both warpgroups' results.
    constexpr unsigned first_of_second = warpgroup_rows / step;
    constexpr unsigned last_of_first = (warpgroup_rows - 1) / step;
    const BackwardWork work(o, memory, tile);
#pragma unroll
    for (unsigned i = 0; i < ahead; ++i) work.queue(i, i);
    wait_for_phase(memory.stored(0), tile.parity);
#pragma unroll 1
    for (unsigned begin = 0; begin < turns; begin += slots)
#pragma unroll
      for (unsigned i = 0; i < slots; i += 2) {
        const unsigned turn = begin + i;
        if (turn >= turns) continue;
        if (turn + 1 >= first_of_second) wait_for_phase(memory.stored(1), tile.parity);
        work.take_two(turn, i);
        if (turn / 2 == last_of_first / 2) arrive(memory.taken(0));
      }
    wait_for_own_copies<0>();
    arrive(memory.taken(1));
  }
};

}  // namespace

void gated_product_backward(cudaStream_t stream, const GatedProductShape& shape, const void* output_gradient,
                            const void* weight, void* gate_up) {
  constexpr const char* function = "Sward::gated_product_backward";
  require_served(function, shape);
  auto* gate = static_cast<std::uint16_t*>(gate_up);
  launch_tile_product<BackwardWork>(
      function, stream, shape,
      {map_tiles({output_gradient, shape.tokens, shape.hidden, shape.input_stride}, block_rows),
       map_tiles({weight, shape.hidden, shape.width, shape.weight_stride}, slab),
       gate,
       gate + shape.width,
       static_cast<unsigned>(shape.gate_up_stride),
       0,
       0,
       0,
       {}});
}

}  // namespace Sward
