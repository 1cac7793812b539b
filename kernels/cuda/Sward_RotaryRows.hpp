#pragma once

// Rows of one attention head between global memory, shared memory and the registers of a warpgroup's tiles, with the
// rotary embedding on the way. A piece is 16 bytes, 8 values.

#include <cstdint>

#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

struct Piece {
  std::uint32_t word[4];
};

/// Each value is read once, so that it should not push the rotary tables out of the first-level cache.
__device__ __forceinline__ Piece load_piece(const std::uint16_t* source) {
  Piece p;
  asm("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
      : "=r"(p.word[0]), "=r"(p.word[1]), "=r"(p.word[2]), "=r"(p.word[3])
      : "l"(source));
  return p;
}

__device__ __forceinline__ void store_piece(std::uint32_t address, const Piece& p) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(p.word[0]), "r"(p.word[1]),
               "r"(p.word[2]), "r"(p.word[3])
               : "memory");
}

__device__ __forceinline__ float low(std::uint32_t word) { return __uint_as_float(word << 16); }
__device__ __forceinline__ float high(std::uint32_t word) { return __uint_as_float(word & 0xffff0000U); }

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

__device__ __forceinline__ Angles load_angles(const float* cosine, const float* sine, bool is_valid) {
  Angles angles{};
  if (is_valid) {
    load_floats(angles.cosine, cosine);
    load_floats(angles.sine, sine);
  }
  return angles;
}

/// A piece of a head's first half and the one at the same place in its second half: eight pairs of the embedding.
struct Pair {
  Piece first{};
  Piece second{};
};

/// Zeros beyond the sequence's end.
template <int head_size>
__device__ __forceinline__ Pair load_pair(const std::uint16_t* row, int piece, bool is_valid) {
  Pair p;
  if (is_valid) {
    p.first = load_piece(row + piece * 8);
    p.second = load_piece(row + piece * 8 + head_size / 2);
  }
  return p;
}

__device__ __forceinline__ void rotate(Pair& pair, const Angles& angles) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const float c0 = angles.cosine[2 * i], c1 = angles.cosine[2 * i + 1];
    const float s0 = angles.sine[2 * i], s1 = angles.sine[2 * i + 1];
    const float a0 = low(pair.first.word[i]), a1 = high(pair.first.word[i]);
    const float b0 = low(pair.second.word[i]), b1 = high(pair.second.word[i]);
    pair.first.word[i] = pack(a0 * c0 - b0 * s0, a1 * c1 - b1 * s1);
    pair.second.word[i] = pack(b0 * c0 + a0 * s0, b1 * c1 + a1 * s1);
  }
}

__device__ __forceinline__ float dot(const Piece& x, const Piece& y) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) sum += low(x.word[i]) * low(y.word[i]) + high(x.word[i]) * high(y.word[i]);
  return sum;
}

/// Where four threads share a row, odd rows begin with the second piece: the eight threads that store together then
/// touch all banks.
template <int head_size>
__device__ __forceinline__ void store_pair(const Panel<head_size>& panel, int row, int piece, const Pair& pair) {
  constexpr int half = head_size / 16;
  const bool is_swapped = head_size == 64 && row % 2 == 1;
  Pair stored = pair;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    stored.first.word[i] = is_swapped ? pair.second.word[i] : pair.first.word[i];
    stored.second.word[i] = is_swapped ? pair.first.word[i] : pair.second.word[i];
  }
  store_piece(panel.piece(row, is_swapped ? piece + half : piece), stored.first);
  store_piece(panel.piece(row, is_swapped ? piece : piece + half), stored.second);
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

/// Turns one of the thread's two rows of a 64 x head_size sum backwards by its token's angles.
template <int head_size>
__device__ __forceinline__ void rotate_back(float (&sum)[head_size / 2], int part, const float* cosine,
                                            const float* sine) {
  constexpr int half = head_size / 16;
#pragma unroll
  for (int n = 0; n < half; ++n) {
    const float2 c = __ldg(reinterpret_cast<const float2*>(cosine + 8 * n));
    const float2 s = __ldg(reinterpret_cast<const float2*>(sine + 8 * n));
    float* const a = sum + 4 * n + 2 * part;
    float* const b = sum + 4 * (n + half) + 2 * part;
    const float a0 = a[0], a1 = a[1], b0 = b[0], b1 = b[1];
    a[0] = a0 * c.x + b0 * s.x;
    a[1] = a1 * c.y + b1 * s.y;
    b[0] = b0 * c.x - a0 * s.x;
    b[1] = b1 * c.y - a1 * s.y;
  }
}

/// Rounds one of the thread's two rows of a sum and writes it, each thread of four a quarter of the row's pieces.
template <int head_size>
__device__ __forceinline__ void write_row(const float (&sum)[head_size / 2], int part, float factor, bool is_valid,
                                          std::uint16_t* row) {
#pragma unroll
  for (int i = 0; i < head_size / 32; ++i) {
    std::uint32_t word[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float* const pair = sum + 4 * (4 * i + j) + 2 * part;
      word[j] = pack(pair[0] * factor, pair[1] * factor);
    }
    transpose_words(word);
    if (is_valid)
      *reinterpret_cast<uint4*>(row + (4 * i + threadIdx.x % 4) * 8) = make_uint4(word[0], word[1], word[2], word[3]);
  }
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

__device__ __forceinline__ float power_of_two(float exponent) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(exponent));
  return result;
}

}  // namespace Sward
