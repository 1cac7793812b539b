#include "Sward_GatedProduct.hpp"

#include "Sward_GatedProductLaunch.hpp"
#include "Sward_GatedUnit.hpp"
#include "Sward_TileProduct.hpp"

namespace Sward {

int variant = 0;
int tile_group = 8;

namespace {

struct ForwardOperands {
  CUtensorMap a, weight[2], stored[2];
  std::uint16_t* product;
  std::int64_t product_stride;
  int rows, columns, inner;
  TileOrder order;
};

template <bool stream>
struct ForwardWork {
  using Shape = TileShape<1, 256, 64, 3, true, 0>;
  using Operands = ForwardOperands;
  static constexpr int columns = Shape::columns / 2;  // of gate, and as many of up
  static constexpr int pieces = columns / 8;
  static constexpr int step = taking_threads / pieces;  // rows taken at one time

  __device__ static void load_half(const Operands& o, std::uint32_t target, std::uint32_t loaded, int k, int column) {
    const int rank = rank_in_cluster();
    load_tile_to_all(o.weight[rank], target + static_cast<std::uint32_t>(rank * columns * Shape::row_bytes), loaded, k,
                     column, 3);
  }

  __device__ static void store_gate_and_up(const Operands& o, const Panel<Shape::columns>& panel, int row, int column) {
#pragma unroll
    for (int i = 0; i < Shape::columns; i += 64)
      if constexpr (stream)
        store_tile_of_stream(o.stored[i / columns], panel.piece(0, i / 8), column + i % columns, row, policy_of_streams());
      else
        store_tile(o.stored[i / columns], panel.piece(0, i / 8), column + i % columns, row);
  }

  __device__ static void multiply(const Operands& o, const Panel<Shape::columns>& panel, int first_row, int column) {
    constexpr int batch = 2;
    const int thread = taking_thread();
    const int piece = thread % pieces;
    std::uint16_t* target = o.product + std::int64_t{first_row} * o.product_stride + column + 8 * piece;
    const int rows = column + 8 * piece < o.columns ? o.rows - first_row : 0;
#pragma unroll 1
    for (int begin = thread / pieces; begin < Shape::warpgroup_rows; begin += batch * step) {
      Piece gate[batch], up[batch];
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        const int row = min(begin + i * step, Shape::warpgroup_rows - 1);
        gate[i] = read_piece(panel.piece(row, piece));
        up[i] = read_piece(panel.piece(row, piece + pieces));
      }
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        const int row = begin + i * step;
        const Piece product = gated(gate[i], up[i]);
        if (row < Shape::warpgroup_rows && row < rows) {
          if constexpr (stream) store_of_stream(target + row * o.product_stride, product, policy_of_streams());
          else write_piece(target + row * o.product_stride, product);
        }
      }
    }
  }

  __device__ static void take(const Operands& o, const TileMemory<Shape>& memory, const TileWalk<ForwardWork>& tile) {
#pragma unroll 1
    for (int i = 0; i < multiplying_warpgroups; ++i) {
      const int row = tile.row + i * Shape::warpgroup_rows;
      wait_for_phase(memory.staged(i), tile.parity);
      if (taking_thread() == 0) store_gate_and_up(o, memory.staging(i), row, tile.column);
      multiply(o, memory.staging(i), row, tile.column);
      if (taking_thread() == 0) wait_for_stores_to_read();
      arrive(memory.taken(i));
    }
  }
};

template <class Work>
void launch(cudaStream_t stream, const DeviceMatrix& input, const DeviceMatrix& weight, const DeviceMatrix& gate_up,
            const DeviceMatrix& product) {
  using Shape = typename Work::Shape;
  const auto* gate_weight = static_cast<const std::uint16_t*>(weight.data);
  const auto* gate = static_cast<const std::uint16_t*>(gate_up.data);
  const std::int64_t n = product.columns;
  const auto weight_tiles = [&](const void* data) {
    return map_tiles({data, n, weight.columns, weight.stride}, Work::columns);
  };
  const auto result_tiles = [&](const void* data) {
    return map_tiles({data, gate_up.rows, n, gate_up.stride}, Shape::warpgroup_rows);
  };
  const int cluster_rows = cluster_blocks * Shape::rows;
  launch_tile_product<Work>(
      "Sward::gated_product", stream,
      {map_tiles(input, Shape::rows),
       {weight_tiles(gate_weight), weight_tiles(gate_weight + n * weight.stride)},
       {result_tiles(gate), result_tiles(gate + n)},
       static_cast<std::uint16_t*>(const_cast<void*>(product.data)),
       product.stride,
       static_cast<int>(product.rows),
       static_cast<int>(n),
       static_cast<int>(input.columns),
       {static_cast<int>((input.rows + cluster_rows - 1) / cluster_rows),
        static_cast<int>((n + Work::columns - 1) / Work::columns), tile_group}});
}

}  // namespace

void gated_product(cudaStream_t stream, const DeviceMatrix& input, const DeviceMatrix& weight,
                   const DeviceMatrix& gate_up, const DeviceMatrix& product) {
  if (variant % 2 == 0) launch<ForwardWork<false>>(stream, input, weight, gate_up, product);
  if (variant % 2 == 1) launch<ForwardWork<true>>(stream, input, weight, gate_up, product);
}

}  // namespace Sward
