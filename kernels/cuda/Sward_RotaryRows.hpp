#pragma once

// Rows of one attention head between global memory, shared memory and the registers of a warpgroup's tiles, with the
// rotary embedding on the way.

#include <cstdint>

#include "Sward_BulkCopy.hpp"
#include "Sward_Piece.hpp"
#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

/// Each value is read once, so that it should not push the rotary tables out of the first-level cache.
__device__ __forceinline__ Piece load_piece(const std::uint16_t* source) {
  Piece p;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(p.word[0]), "=r"(p.word[1]), "=r"(p.word[2]), "=r"(p.word[3])
      : "l"(source));
  return p;
}

/// Starts to bring the 64 values that begin at `source` into the second-level cache.
__device__ __forceinline__ void prefetch_line(const std::uint16_t* source) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(source));
}

/// Cosines and sines of a piece's eight pairs.
struct Angles {
  float cosine[8];
  float sine[8];
};

__device__ __forceinline__ void load_floats(float (&values)[8], const float* source) {
  const float4 first = __ldg(reinterpret_cast<const float4*>(source));
  const float4 second = __ldg(reinterpret_cast<const float4*>(source) + 1);
  values[0] = first.x, values[1] = first.y, values[2] = first.z, values[3] = first.w;
  values[4] = second.x, values[5] = second.y, values[6] = second.z, values[7] = second.w;
}

/// Queues the copy of `rows` rows to shared memory; those from number `valid` on become zeros. Eight or sixteen
/// neighbouring threads take a row together. `target` is a multiple of 8.
template <int head_size, int threads>
__device__ __forceinline__ void copy_rows(const Panel<head_size>& panel, int target, const std::uint16_t* source,
                                          std::int64_t stride, int rows, int valid) {
  constexpr int pieces = head_size / 8;
  constexpr int step = threads / pieces;
  static_assert(step % 8 == 0, "a thread's rows must have the same order of pieces");
  const int piece = static_cast<int>(threadIdx.x) % pieces;
  int row = static_cast<int>(threadIdx.x) / pieces;
  std::uint32_t address = panel.piece(target + row, piece);
  const std::uint16_t* from = source + row * stride + piece * 8;
#pragma unroll 4
  for (; row < rows; row += step) {
    const bool is_valid = row < valid;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(is_valid ? from : source),
                 "r"(is_valid ? 16 : 0)
                 : "memory");
    address += step * Panel<head_size>::row_bytes;
    from += step * stride;
  }
}

/// By one thread: queues the copies of a head's rows, whose bytes the barrier counts. Rows after a sequence's end are
/// those of the next one, or zeros: they have no weight in anything that is written.
template <int head_size>
__device__ __forceinline__ void load_rows(const CUtensorMap& map, const Panel<head_size>& panel, std::uint32_t barrier,
                                          int column, int token, int rows) {
#pragma unroll 1
  for (int row = 0; row < rows; row += tile_rows)
#pragma unroll
    for (int part = 0; part < head_size / 64; ++part)
      load_tile(map, panel.piece(row, 8 * part), barrier, column + 64 * part, token + row);
}

/// By one thread: starts to bring a head's rows into the second-level cache.
template <int head_size>
__device__ __forceinline__ void prefetch_rows(const CUtensorMap& map, int column, int token, int rows) {
#pragma unroll 1
  for (int row = 0; row < rows; row += tile_rows)
#pragma unroll
    for (int part = 0; part < head_size / 64; ++part) prefetch_tile(map, column + 64 * part, token + row);
}

/// Waits until at most `pending` groups of this block's copies are under way.
template <int pending>
__device__ __forceinline__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
  __syncthreads();
}

/// Turns a piece of a head's first half and the one at the same place in its second half: eight pairs.
__device__ __forceinline__ void rotate(Piece& first, Piece& second, const Angles& angles) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float c0 = angles.cosine[2 * i], c1 = angles.cosine[2 * i + 1];
    const float s0 = angles.sine[2 * i], s1 = angles.sine[2 * i + 1];
    const float a0 = low(first.word[i]), a1 = high(first.word[i]);
    const float b0 = low(second.word[i]), b1 = high(second.word[i]);
    first.word[i] = pack(a0 * c0 - b0 * s0, a1 * c1 - b1 * s1);
    second.word[i] = pack(b0 * c0 + a0 * s0, b1 * c1 + a1 * s1);
  }
}

template <int head_size>
__device__ __forceinline__ void rotate_pair(const Panel<head_size>& panel, int row, int piece, const Angles& angles) {
  const std::uint32_t first_address = panel.piece(row, piece);
  const std::uint32_t second_address = panel.piece(row, piece + head_size / 16);
  Piece first = read_piece(first_address);
  Piece second = read_piece(second_address);
  rotate(first, second, angles);
  store_piece(first_address, first);
  store_piece(second_address, second);
}

/// Rotary embedding, in place, of the first `rows` rows of panels, from `target` on. The tables begin with the first
/// row's token. The angles of the first rounds are asked for before the panels have arrived.
template <int head_size, int threads, int count>
struct RowRotation {
  static constexpr int pieces = head_size / 16;

  const float* cosine;
  const float* sine;
  int rows;
  Angles angles[count];

  /// Where four threads share a row, the eight that the memory serves together have rows 4 apart, and so touch all
  /// banks.
  __device__ static int row_of(int i) { return head_size == 64 ? i / 32 * 8 + i / 4 % 2 * 4 + i % 32 / 8 : i / pieces; }

  __device__ __forceinline__ void load(int begin) {
#pragma unroll
    for (int j = 0; j < count; ++j) {
      const int i = begin + j * threads + static_cast<int>(threadIdx.x);
      const int row = row_of(i) < rows ? row_of(i) : 0;
      load_floats(angles[j].cosine, cosine + row * (head_size / 2) + i % pieces * 8);
      load_floats(angles[j].sine, sine + row * (head_size / 2) + i % pieces * 8);
    }
  }

  template <class... Rotated>
  __device__ __forceinline__ void apply(int begin, int target, const Rotated&... panels) const {
#pragma unroll
    for (int j = 0; j < count; ++j) {
      const int i = begin + j * threads + static_cast<int>(threadIdx.x);
      if (row_of(i) < rows) (rotate_pair<head_size>(panels, target + row_of(i), i % pieces, angles[j]), ...);
    }
  }

  template <class... Rotated>
  __device__ __forceinline__ void apply_all(int target, const Rotated&... panels) {
    apply(0, target, panels...);
#pragma unroll 1
    for (int begin = count * threads; begin < (rows + 7) / 8 * 8 * pieces; begin += count * threads) {
      load(begin);
      apply(begin, target, panels...);
    }
  }
};

__device__ __forceinline__ float dot(const Piece& x, const Piece& y) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) sum += low(x.word[i]) * low(y.word[i]) + high(x.word[i]) * high(y.word[i]);
  return sum;
}

/// Exchanges a 4 x 4 matrix of words, of which each of four neighbouring threads holds a row, for its transpose.
__device__ __forceinline__ void transpose_words(std::uint32_t (&word)[4]) {
  const unsigned lane = threadIdx.x;
#pragma unroll
  for (int step = 1; step <= 2; step *= 2) {
    const bool is_upper = (lane & static_cast<unsigned>(step)) != 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if ((i & step) != 0) continue;
      const std::uint32_t sent = is_upper ? word[i] : word[i + step];
      const std::uint32_t received = __shfl_xor_sync(0xffffffffU, sent, step);
      if (is_upper)
        word[i] = received;
      else
        word[i + step] = received;
    }
  }
}

/// Where a thread stands in its warpgroup's tile.
struct TilePlace {
  int row;     ///< the first of two, eight apart
  int column;  ///< the first of two neighbours, in each eight columns

  __device__ TilePlace()
      : row(static_cast<int>(threadIdx.x % warpgroup_threads / 32 * 16 + threadIdx.x % 32 / 4)),
        column(static_cast<int>(threadIdx.x % 4 * 2)) {}
};

/// One of the thread's two rows of a 64 x head_size sum, times a factor, handed around among the four threads of the
/// row: thread t receives columns 8 (4 i + t) to 8 (4 i + t) + 7 for each i.
template <int head_size>
__device__ __forceinline__ void gather_row(float (&row)[head_size / 32][8], const float (&sum)[head_size / 2], int part,
                                           float factor) {
#pragma unroll
  for (int i = 0; i < head_size / 32; ++i)
#pragma unroll
    for (int neighbour = 0; neighbour < 2; ++neighbour) {
      std::uint32_t word[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) word[j] = __float_as_uint(sum[4 * (4 * i + j) + 2 * part + neighbour] * factor);
      transpose_words(word);
#pragma unroll
      for (int j = 0; j < 4; ++j) row[i][2 * j + neighbour] = __uint_as_float(word[j]);
    }
}

/// The angles that a thread needs for a gathered row.
template <int head_size>
struct RowAngles {
  Angles of[head_size / 64];

  __device__ __forceinline__ void load(const float* cosine, const float* sine) {
#pragma unroll
    for (int i = 0; i < head_size / 64; ++i) {
      const int angle = (4 * i + static_cast<int>(threadIdx.x % 4)) * 8;
      load_floats(of[i].cosine, cosine + angle);
      load_floats(of[i].sine, sine + angle);
    }
  }
};

/// Turns a gathered row backwards.
template <int head_size>
__device__ __forceinline__ void rotate_back(float (&row)[head_size / 32][8], const RowAngles<head_size>& angles) {
  constexpr int half = head_size / 64;
#pragma unroll
  for (int i = 0; i < half; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const float a = row[i][j];
      const float b = row[i + half][j];
      row[i][j] = a * angles.of[i].cosine[j] + b * angles.of[i].sine[j];
      row[i + half][j] = b * angles.of[i].cosine[j] - a * angles.of[i].sine[j];
    }
}

/// Rounds a gathered row and writes it, each thread its pieces.
template <int head_size>
__device__ __forceinline__ void write_row(const float (&row)[head_size / 32][8], std::uint16_t* target) {
#pragma unroll
  for (int i = 0; i < head_size / 32; ++i)
    *reinterpret_cast<uint4*>(target + (4 * i + threadIdx.x % 4) * 8) = make_uint4(
        pack(row[i][0], row[i][1]), pack(row[i][2], row[i][3]), pack(row[i][4], row[i][5]), pack(row[i][6], row[i][7]));
}

/// Maximum and sum over the four threads that share a row.
__device__ __forceinline__ float row_maximum(float value) {
  value = fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 1));
  return fmaxf(value, __shfl_xor_sync(0xffffffffU, value, 2));
}
__device__ __forceinline__ float row_sum(float value) {
  value += __shfl_xor_sync(0xffffffffU, value, 1);
  return value + __shfl_xor_sync(0xffffffffU, value, 2);
}

}  // namespace Sward
