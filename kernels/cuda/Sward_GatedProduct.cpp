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

template <int blocks, int tile_columns, int stages>
struct ForwardWork {
  using Shape = TileShape<blocks, tile_columns, stages, true>;
  using Operands = ForwardOperands;
  static constexpr int half = tile_columns / 2;

  const Operands& o;
  Panel<tile_columns> panel;
  int row, column;

  __device__ ForwardWork(const Operands& operands, const Panel<tile_columns>& results, int first_row, int column_tile)
      : o(operands), panel(results), row(first_row), column(column_tile * half) {}

  __device__ static void load_half(const Operands& o, std::uint32_t target, std::uint32_t loaded, int k,
                                   int column_tile) {
    const int rank = rank_in_cluster();
    load_tile_to_all(o.weight[rank], target + static_cast<std::uint32_t>(rank * half * 128), loaded, k,
                     column_tile * half, 3);
  }

  __device__ static void prefetch(const Operands&, int, int) {}

  __device__ void take() const {
    const int thread = taking_thread();
    if (thread == 0)
#pragma unroll
      for (int i = 0; i < tile_columns / 64; ++i)
        store_tile(o.stored[i / (half / 64)], panel.piece(0, 8 * i), column + i % (half / 64) * 64, row);
    constexpr int pieces = half / 8;
    constexpr int step = taking_threads / pieces;
    const int piece = thread % pieces;
#pragma unroll 4
    for (int i = thread / pieces; i < Shape::warpgroup_rows; i += step) {
      const Piece result = gated(read_piece(panel.piece(i, piece)), read_piece(panel.piece(i, piece + pieces)));
      if (row + i < o.rows && column + 8 * piece < o.columns)
        *reinterpret_cast<uint4*>(o.product + (row + i) * o.product_stride + column + 8 * piece) =
            make_uint4(result.word[0], result.word[1], result.word[2], result.word[3]);
    }
    if (thread == 0) wait_for_stores_to_read();
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
    return map_tiles({data, n, weight.columns, weight.stride}, Work::half);
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
        static_cast<int>((n + Work::half - 1) / Work::half), tile_group}});
}

}  // namespace

void gated_product(cudaStream_t stream, const DeviceMatrix& input, const DeviceMatrix& weight,
                   const DeviceMatrix& gate_up, const DeviceMatrix& product) {
  if (variant == 0) launch<ForwardWork<1, 256, 3>>(stream, input, weight, gate_up, product);
  if (variant == 1) launch<ForwardWork<2, 128, 3>>(stream, input, weight, gate_up, product);
}

}  // namespace Sward
