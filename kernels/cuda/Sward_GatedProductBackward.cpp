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

template <bool stream, bool prefetched>
struct BackwardWork {
  /// Gates and ups come through shared memory: their loads into registers would be waited for all together.
  static constexpr int depth = 6;
  static constexpr int ahead = 4;
  static constexpr int slot_bytes = 2 * 16 * taking_threads;

  using Shape = TileShape<1, 256, 64, 3, false, depth * slot_bytes>;
  using Operands = BackwardOperands;
  static constexpr int columns = Shape::columns;
  static constexpr int pieces = columns / 8;
  static constexpr int step = taking_threads / pieces;  // rows taken at one time
  static constexpr int turns = (Shape::rows + step - 1) / step;

  __device__ static void load_half(const Operands& o, std::uint32_t target, std::uint32_t loaded, int k, int column) {
    constexpr int half = columns / cluster_blocks;
    const int first = rank_in_cluster() * half;
#pragma unroll
    for (int i = first; i < first + half; i += 64)
      load_tile_to_all(o.weight, target + static_cast<std::uint32_t>(i / 64 * Shape::slab * 128), loaded, column + i, k, 3);
  }

  /// Brings the tile's gates and ups into the second-level cache.
  __device__ static void prefetch(const Operands& o, int first_row, int first_column) {
    if constexpr (!prefetched) return;
    constexpr int lines = columns / 64;
    const int thread = taking_thread();
    const int column = first_column + thread % lines * 64;
    if (column >= o.columns) return;
    const int end = min(o.rows, first_row + Shape::rows);
    for (int i = first_row + thread / lines; i < end; i += taking_threads / lines) {
      prefetch_line(o.gate + i * o.stride + column);
      prefetch_line(o.up + i * o.stride + column);
    }
  }

  const Operands& o;
  const TileMemory<Shape>& memory;
  int row, piece, rows;
  std::uint16_t* gate;
  std::uint16_t* up;

  __device__ BackwardWork(const Operands& operands, const TileMemory<Shape>& shared, int first_row, int first_column)
      : o(operands), memory(shared) {
    row = taking_thread() / pieces;
    piece = taking_thread() % pieces;
    const int column = first_column + 8 * piece;
    rows = column < o.columns ? min(o.rows - first_row, Shape::rows) : 0;
    const std::int64_t offset = first_row * o.stride + column;
    gate = o.gate + offset;
    up = o.up + offset;
  }

  __device__ std::uint32_t slot(int i) const {
    return memory.ring() + static_cast<std::uint32_t>(i % depth * slot_bytes + 16 * taking_thread());
  }

  __device__ __forceinline__ void queue(int turn, int i) const {
    const int at = row + turn * step;
    if (at < rows) {
      copy_piece(slot(i), gate + at * o.stride);
      copy_piece(slot(i) + slot_bytes / 2, up + at * o.stride);
    }
    end_copies();
  }

  __device__ Piece read_sum(int turn_row) const {
    const int at = min(turn_row, Shape::rows - 1);
    return read_piece(memory.staging(at / Shape::warpgroup_rows).piece(at % Shape::warpgroup_rows, piece));
  }

  __device__ __forceinline__ void write(int at, const Piece& gate_gradient, const Piece& up_gradient) const {
    if (at >= rows) return;
    if constexpr (stream) {
      store_of_stream(gate + at * o.stride, gate_gradient, policy_of_streams());
      store_of_stream(up + at * o.stride, up_gradient, policy_of_streams());
    } else {
      write_piece(gate + at * o.stride, gate_gradient);
      write_piece(up + at * o.stride, up_gradient);
    }
  }

  __device__ static void take(const Operands& o, const TileMemory<Shape>& memory, const TileWalk<BackwardWork>& tile) {
    prefetch(o, tile.row, tile.column);
    const BackwardWork work(o, memory, tile.row, tile.column);
#pragma unroll
    for (int i = 0; i < ahead; ++i) work.queue(i, i);
    wait_for_phase(memory.staged(0), tile.parity);
#pragma unroll 1
    for (int begin = 0; begin < turns; begin += depth) {
#pragma unroll
      for (int i = 0; i < depth; i += 2) {
        if (begin + i >= turns) continue;
        work.queue(begin + i + ahead, i + ahead);
        work.queue(begin + i + ahead + 1, i + ahead + 1);
        const int first = work.row + (begin + i) * step;
        const int second = first + step;
        if (second >= Shape::warpgroup_rows) wait_for_phase(memory.staged(1), tile.parity);
        await_copies<ahead>();
        Piece gate[2] = {read_piece(work.slot(i)), read_piece(work.slot(i + 1))};
        Piece up[2] = {read_piece(work.slot(i) + slot_bytes / 2), read_piece(work.slot(i + 1) + slot_bytes / 2)};
        const Piece above[2] = {work.read_sum(first), work.read_sum(second)};
        gated_backward(gate[0], up[0], above[0]);
        gated_backward(gate[1], up[1], above[1]);
        work.write(first, gate[0], up[0]);
        work.write(second, gate[1], up[1]);
        if (first < Shape::warpgroup_rows && first + 2 * step >= Shape::warpgroup_rows) arrive(memory.taken(0));
      }
    }
    await_copies<0>();
    arrive(memory.taken(1));
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
                             map_tiles(weight, Shape::slab),
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
  if (variant == 0) launch<BackwardWork<false, true>>(stream, output_gradient, weight, gate_up);
  if (variant == 1) launch<BackwardWork<true, true>>(stream, output_gradient, weight, gate_up);
  if (variant == 2) launch<BackwardWork<false, false>>(stream, output_gradient, weight, gate_up);
  if (variant == 3) launch<BackwardWork<true, false>>(stream, output_gradient, weight, gate_up);
}

}  // namespace Sward
