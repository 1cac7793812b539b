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
  std::int64_t stride;
  int rows, columns, inner;
  TileOrder order;
};

__device__ __forceinline__ Piece load_once(const std::uint16_t* source) {
  Piece p;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(p.word[0]), "=r"(p.word[1]), "=r"(p.word[2]), "=r"(p.word[3])
               : "l"(source));
  return p;
}

__device__ __forceinline__ void write_piece(std::uint16_t* target, const Piece& p) {
  *reinterpret_cast<uint4*>(target) = make_uint4(p.word[0], p.word[1], p.word[2], p.word[3]);
}

template <int blocks, int tile_columns, int stages>
struct BackwardWork {
  using Shape = TileShape<blocks, tile_columns, stages, false>;
  using Operands = BackwardOperands;
  static constexpr int pieces = tile_columns / 8;
  static constexpr int step = taking_threads / pieces;  // rows taken at one time
  static constexpr int batch = 4;

  struct Batch {
    Piece gate[batch], up[batch];
  };

  const Operands& o;
  Panel<tile_columns> panel;
  int row, piece, rows;
  std::uint16_t* gate;
  std::uint16_t* up;
  Batch first;

  __device__ BackwardWork(const Operands& operands, const Panel<tile_columns>& results, int first_row, int column_tile)
      : o(operands), panel(results) {
    const int thread = taking_thread();
    row = thread / pieces;
    piece = thread % pieces;
    const int column = column_tile * tile_columns + 8 * piece;
    rows = column < o.columns ? min(o.rows - first_row, Shape::warpgroup_rows) : 0;
    const std::int64_t offset = (first_row + row) * o.stride + column;
    gate = o.gate + offset;
    up = o.up + offset;
    load(first, row);
  }

  __device__ static void load_half(const Operands& o, std::uint32_t target, std::uint32_t loaded, int k,
                                   int column_tile) {
    constexpr int panels = tile_columns / 64 / cluster_blocks;
    const int rank = rank_in_cluster();
#pragma unroll
    for (int i = 0; i < panels; ++i) {
      const int number = rank * panels + i;
      load_tile_to_all(o.weight, target + static_cast<std::uint32_t>(number * slab * 128), loaded,
                       column_tile * tile_columns + 64 * number, k, 3);
    }
  }

  /// Brings the tile's gates and ups into the second-level cache.
  __device__ static void prefetch(const Operands& o, int first_row, int column_tile) {
    constexpr int lines = tile_columns / 64;
    const int thread = taking_thread();
    const int column = column_tile * tile_columns + thread % lines * 64;
    if (column >= o.columns) return;
    const int end = min(o.rows, first_row + Shape::rows);
    for (int i = first_row + thread / lines; i < end; i += taking_threads / lines) {
      prefetch_line(o.gate + i * o.stride + column);
      prefetch_line(o.up + i * o.stride + column);
    }
  }

  __device__ __forceinline__ void load(Batch& b, int begin) const {
#pragma unroll
    for (int i = 0; i < batch; ++i) {
      const int at = begin + i * step;
      if (at >= rows) continue;
      b.gate[i] = load_once(gate + (at - row) * o.stride);
      b.up[i] = load_once(up + (at - row) * o.stride);
    }
  }

  __device__ __forceinline__ void finish(Batch& b, int begin) const {
#pragma unroll
    for (int i = 0; i < batch; ++i) {
      const int at = begin + i * step;
      if (at >= rows) continue;
      gated_backward(b.gate[i], b.up[i], read_piece(panel.piece(at, piece)));
      write_piece(gate + (at - row) * o.stride, b.gate[i]);
      write_piece(up + (at - row) * o.stride, b.up[i]);
    }
  }

  __device__ __forceinline__ void take() {
#pragma unroll 1
    for (int begin = row; begin < Shape::warpgroup_rows; begin += 2 * batch * step) {
      Batch second;
      load(second, begin + batch * step);
      finish(first, begin);
      load(first, begin + 2 * batch * step);
      finish(second, begin + batch * step);
    }
  }
};

template <class Work>
void launch(cudaStream_t stream, const DeviceMatrix& output_gradient, const DeviceMatrix& weight,
            const DeviceMatrix& gate_up) {
  using Shape = typename Work::Shape;
  auto* gate = static_cast<std::uint16_t*>(const_cast<void*>(gate_up.data));
  const int cluster_rows = cluster_blocks * Shape::rows;
  launch_tile_product<Work>("Sward::gated_product_backward", stream,
                            {map_tiles(output_gradient, Shape::rows),
                             map_tiles(weight, slab),
                             gate,
                             gate + weight.columns,
                             gate_up.stride,
                             static_cast<int>(gate_up.rows),
                             static_cast<int>(weight.columns),
                             static_cast<int>(weight.rows),
                             {static_cast<int>((gate_up.rows + cluster_rows - 1) / cluster_rows),
                              static_cast<int>((weight.columns + Shape::columns - 1) / Shape::columns), tile_group}});
}

}  // namespace

void gated_product_backward(cudaStream_t stream, const DeviceMatrix& output_gradient, const DeviceMatrix& weight,
                            const DeviceMatrix& gate_up) {
  if (variant == 0) launch<BackwardWork<1, 256, 3>>(stream, output_gradient, weight, gate_up);
  if (variant == 1) launch<BackwardWork<2, 128, 3>>(stream, output_gradient, weight, gate_up);
}

}  // namespace Sward
