#include "Sward_GatedProduct.hpp"

#include <stdexcept>
#include <string>

#include "Sward_GatedProductLaunch.hpp"
#include "Sward_GatedUnit.hpp"
#include "Sward_TileProduct.hpp"

namespace Sward {

namespace {

std::uint64_t gated_products = 0;

struct ForwardOperands {
  CUtensorMap a, weight[2], stored[2];  // of gate and of up
  std::uint16_t* product;
  std::int64_t product_stride;
  int rows, columns, inner;
  TileOrder order;
};

/// A tile of B has rows of gate's weight and, after them, the same of up's: so both are in one block.
struct ForwardWork {
  using Operands = ForwardOperands;
  static constexpr bool b_is_transposed = true;
  static constexpr int ring_bytes = 0;
  static constexpr int columns = block_columns / 2;  // of gate, and as many of up
  static constexpr unsigned pieces = columns / 8;
  static constexpr unsigned step = taking_threads / pieces;  // rows taken at one time

  __device__ static void load_half(const Operands& o, const TileMemory<ForwardWork>& memory, int stage, int k,
                                   int column) {
    const int half = rank_in_cluster();
    load_tile_to_all(o.weight[half], memory.b(stage) + static_cast<std::uint32_t>(half * columns * tile_row_bytes),
                     memory.loaded(stage), k, column, all_blocks);
  }

  __device__ static void store_gate_and_up(const Operands& o, const TileMemory<ForwardWork>& memory, unsigned first,
                                           int row, int column) {
#pragma unroll
    for (int i = 0; i < block_columns; i += tile_columns)
      store_tile(o.stored[i / columns], memory.result(first, static_cast<unsigned>(i) / 8), column + i % columns, row);
  }

  /// Two rows at one time, so that there is always something to compute.
  __device__ static void multiply(const Operands& o, const TileMemory<ForwardWork>& memory, unsigned first, int row,
                                  int column) {
    const unsigned piece = taking_thread() % pieces;
    const int own_column = column + static_cast<int>(8 * piece);
    const unsigned rows = own_column < o.columns ? static_cast<unsigned>(max(o.rows - row, 0)) : 0;
    std::uint16_t* const target = o.product + row * o.product_stride + own_column;
    const auto read = [&](unsigned i, unsigned number) {
      return read_piece(memory.result(first + min(i, warpgroup_rows - 1U), number));
    };
    const auto write = [&](unsigned i, const Piece& product) {
      if (i < min(rows, static_cast<unsigned>(warpgroup_rows))) write_piece(target + i * o.product_stride, product);
    };
#pragma unroll 1
    for (unsigned i = taking_thread() / pieces; i < warpgroup_rows; i += 2 * step) {
      const Piece gate[2] = {read(i, piece), read(i + step, piece)};
      const Piece up[2] = {read(i, piece + pieces), read(i + step, piece + pieces)};
      write(i, gated(gate[0], up[0]));
      write(i + step, gated(gate[1], up[1]));
    }
  }

  __device__ static void take(const Operands& o, const TileMemory<ForwardWork>& memory,
                              const TileWalk<ForwardWork>& tile) {
#pragma unroll 1
    for (int i = 0; i < multiplying_warpgroups; ++i) {
      const int first = i * warpgroup_rows;
      wait_for_phase(memory.stored(i), tile.parity);
      if (taking_thread() == 0)
        store_gate_and_up(o, memory, static_cast<unsigned>(first), tile.row + first, tile.column);
      multiply(o, memory, static_cast<unsigned>(first), tile.row + first, tile.column);
      if (taking_thread() == 0) wait_for_stores_to_read();
      arrive(memory.taken(i));
    }
  }
};

std::string describe(const GatedProductShape& s) {
  return std::to_string(s.tokens) + " tokens, a hidden size of " + std::to_string(s.hidden) + " and a width of " +
         std::to_string(s.width) + ", strides " + std::to_string(s.input_stride) + ", " +
         std::to_string(s.weight_stride) + ", " + std::to_string(s.gate_up_stride) + ", " +
         std::to_string(s.product_stride);
}

}  // namespace

void require_served(const char* function, const GatedProductShape& shape) {
  if (!gated_product_serves(shape))
    throw std::runtime_error(std::string(function) + ": does not serve " + describe(shape));
}

void check_launch(cudaError_t code, const char* function, const GatedProductShape& shape) {
  if (code != cudaSuccess)
    throw std::runtime_error(std::string(function) + ": " + cudaGetErrorString(code) + ", for " + describe(shape));
}

void count_gated_product() { ++gated_products; }

std::uint64_t gated_product_count() { return gated_products; }

bool gated_product_serves(const GatedProductShape& s) {
  constexpr std::int64_t largest = std::int64_t{1} << 30;
  const auto is_extent = [](std::int64_t extent) { return extent > 0 && extent <= largest; };
  const auto is_aligned = [](std::int64_t stride) { return stride >= 0 && stride % 8 == 0; };
  return is_extent(s.tokens) && is_extent(s.hidden) && is_extent(s.width) && s.width % 8 == 0 &&
         is_aligned(s.input_stride) && is_aligned(s.weight_stride) && is_aligned(s.gate_up_stride) &&
         is_aligned(s.product_stride);
}

void gated_product(cudaStream_t stream, const GatedProductShape& shape, const void* input, const void* weight,
                   void* gate_up, void* product) {
  constexpr const char* function = "Sward::gated_product";
  require_served(function, shape);
  const auto* gate_weight = static_cast<const std::uint16_t*>(weight);
  const auto* gate = static_cast<const std::uint16_t*>(gate_up);
  const auto map_weight = [&](const void* data) {
    return map_tiles({data, shape.width, shape.hidden, shape.weight_stride}, ForwardWork::columns);
  };
  const auto map_result = [&](const void* data) {
    return map_tiles({data, shape.tokens, shape.width, shape.gate_up_stride}, warpgroup_rows);
  };
  launch_tile_product<ForwardWork>(
      function, stream, shape,
      {map_tiles({input, shape.tokens, shape.hidden, shape.input_stride}, block_rows),
       {map_weight(gate_weight), map_weight(gate_weight + shape.width * shape.weight_stride)},
       {map_result(gate), map_result(gate + shape.width)},
       static_cast<std::uint16_t*>(product),
       shape.product_stride,
       0,
       0,
       0,
       {}});
}

}  // namespace Sward
