#pragma once

// Columns of dq, dk and dv that are written a second time: those of one head.

#include "Sward_ShortAttention.hpp"

namespace Sward {

__host__ __device__ inline bool are_columns_wanted(const PackedColumns& wanted) {
  return wanted.of[0].count + wanted.of[1].count + wanted.of[2].count > 0;
}

/// Of the slices that are wanted, what belongs to one head; lies in shared memory.
struct WantedOfHead {
  static constexpr int kept = 64;

  int begin[3], end[3];            ///< slots of each slice
  std::uint16_t columns[3][kept];  ///< of the first of them, numbered within the head

  /// By the last three warps of a block; a barrier must follow.
  __device__ void find(const PackedColumns& wanted, int head, int head_size) {
    const int part = static_cast<int>(threadIdx.x) / 32 - static_cast<int>(blockDim.x) / 32 + 3;
    if (part < 0) return;
    const WrittenColumns<std::uint16_t>& slice = wanted.of[part];
    const int first = columns_below(slice.columns, slice.count, head * head_size);
    const int last = first + columns_below(slice.columns + first, slice.count - first, (head + 1) * head_size);
    const int lane = static_cast<int>(threadIdx.x % 32);
    for (int s = lane; s < min(last - first, kept); s += 32)
      columns[part][s] = static_cast<std::uint16_t>(slice.columns[first + s] % head_size);
    if (lane == 0) begin[part] = first, end[part] = last;
  }

 private:
  /// How many of the ascending numbers are below the limit, by the threads of a warp.
  __device__ static int columns_below(const int* numbers, int count, int limit) {
    int first = 0;
    while (count > 0) {
      const int step = (count + 31) / 32;
      const int last = min((static_cast<int>(threadIdx.x % 32) + 1) * step, count) - 1;
      const int passed = __popc(__ballot_sync(0xffffffffU, numbers[first + last] < limit)) * step;
      first += min(passed, count);
      count = min(step - 1, count - passed);
    }
    return first;
  }
};

/// Writes the wanted columns of the first `count` of the 16 rows that a warp has at `rows`, in shared memory, to the
/// slice's rows from `token` on.
template <int head_size>
__device__ __forceinline__ void write_slots(const WrittenColumns<std::uint16_t>& slice, const WantedOfHead& wanted,
                                            int part, const std::uint16_t* rows, std::int64_t token, int count) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int begin = wanted.begin[part], end = wanted.end[part];
  __syncwarp();
  for (int s = begin + lane % 16; s < end; s += 16) {
    const int column = s - begin < WantedOfHead::kept ? wanted.columns[part][s - begin] : slice.columns[s] % head_size;
    std::uint16_t* const values = slice.values + token * slice.stride + s;
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      const int row = 2 * i + lane / 16;
      if (row < count) values[row * slice.stride] = rows[row * head_size + column];
    }
  }
  __syncwarp();
}

}  // namespace Sward
