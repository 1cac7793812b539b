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

/// Starts to bring the 64 values that begin at `source` into the second-level cache.
__device__ __forceinline__ void prefetch_line(const std::uint16_t* source) {
  asm volatile("prefetch.global.L2 [%0];" ::"l"(source));
}

__device__ __forceinline__ void store_piece(std::uint32_t address, const Piece& p) {
  asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(p.word[0]), "r"(p.word[1]),
               "r"(p.word[2]), "r"(p.word[3])
               : "memory");
}

__device__ __forceinline__ Piece read_piece(std::uint32_t address) {
  Piece p;
  asm volatile("ld.shared.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(p.word[0]), "=r"(p.word[1]), "=r"(p.word[2]), "=r"(p.word[3])
               : "r"(address)
               : "memory");
  return p;
}

__device__ __forceinline__ void exchange_if(bool condition, Piece& x, Piece& y) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t a = x.word[i], b = y.word[i];
    x.word[i] = condition ? b : a;
    y.word[i] = condition ? a : b;
  }
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

/// Queues the copy of `rows` rows to shared memory; those from number `valid` on become zeros. Eight or sixteen
/// neighbouring threads take a row together.
template <int head_size, int threads>
__device__ __forceinline__ void copy_rows(const Panel<head_size>& panel, int target, const std::uint16_t* source,
                                          std::int64_t stride, int rows, int valid) {
  constexpr int pieces = head_size / 8;
#pragma unroll 4
  for (int i = static_cast<int>(threadIdx.x); i < rows * pieces; i += threads) {
    const int row = i / pieces;
    const bool is_valid = row < valid;
    const std::uint16_t* const address = source + (is_valid ? row : 0) * stride + i % pieces * 8;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(panel.piece(target + row, i % pieces)),
                 "l"(address), "r"(is_valid ? 16 : 0)
                 : "memory");
  }
}

__device__ __forceinline__ void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

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

/// Where four threads share a row, those of odd rows begin with the second piece: the eight threads that the memory
/// serves together then touch all banks. What each register holds is exchanged along.
template <int head_size>
__device__ __forceinline__ void rotate_pair(const Panel<head_size>& panel, int row, int piece, const Angles& angles) {
  constexpr int half = head_size / 16;
  const bool is_swapped = head_size == 64 && row % 2 == 1;
  const std::uint32_t one = panel.piece(row, is_swapped ? piece + half : piece);
  const std::uint32_t other = panel.piece(row, is_swapped ? piece : piece + half);
  Piece first = read_piece(one);
  Piece second = read_piece(other);
  exchange_if(is_swapped, first, second);
  rotate(first, second, angles);
  exchange_if(is_swapped, first, second);
  store_piece(one, first);
  store_piece(other, second);
}

/// Rotary embedding, in place, of `rows` rows of each panel; the tables begin with the first row's token.
template <int head_size, int threads, class... MorePanels>
__device__ __forceinline__ void rotate_rows(int first_row, int rows, const float* cosine, const float* sine,
                                            const MorePanels&... panels) {
  constexpr int pieces = head_size / 16;
#pragma unroll 2
  for (int i = static_cast<int>(threadIdx.x); i < rows * pieces; i += threads) {
    const int row = i / pieces;
    const int piece = i % pieces;
    const int angle = row * (head_size / 2) + piece * 8;
    Angles angles;
    load_floats(angles.cosine, cosine + angle);
    load_floats(angles.sine, sine + angle);
    (rotate_pair<head_size>(panels, first_row + row, piece, angles), ...);
  }
}

__device__ __forceinline__ float dot(const Piece& x, const Piece& y) {
  float sum = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) sum += low(x.word[i]) * low(y.word[i]) + high(x.word[i]) * high(y.word[i]);
  return sum;
}

/// Where a thread stands in its warpgroup's tile.
struct TilePlace {
  int row;     ///< the first of two, eight apart
  int column;  ///< the first of two neighbours, in each eight columns

  __device__ TilePlace()
      : row(static_cast<int>(threadIdx.x % warpgroup_threads / 32 * 16 + threadIdx.x % 32 / 4)),
        column(static_cast<int>(threadIdx.x % 4 * 2)) {}
};

/// Shared memory through which a warp turns the rows of its tile's layout into whole pieces: eight rows of floats, in
/// panels of 64 columns. Segments of 32 bytes are exchanged by the row's number, so that both sides touch all banks.
struct Stage {
  std::uint32_t address;  ///< of the warp's
  int panel_bytes;        ///< from one panel to the next

  static constexpr int panel = 8 * 64 * static_cast<int>(sizeof(float));

  __device__ std::uint32_t segment(int row, int segment) const {
    return address + static_cast<std::uint32_t>(segment / 8 * panel_bytes + row * 256 + ((segment % 8) ^ row) * 32);
  }
};

__device__ __forceinline__ void stage_pair(std::uint32_t address, float x, float y) {
  asm volatile("st.shared.v2.f32 [%0], {%1, %2};" ::"r"(address), "f"(x), "f"(y) : "memory");
}
__device__ __forceinline__ void read_segment(float (&values)[8], std::uint32_t address) {
#pragma unroll
  for (int i = 0; i < 8; i += 4)
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(values[i]), "=f"(values[i + 1]), "=f"(values[i + 2]), "=f"(values[i + 3])
                 : "r"(address + static_cast<std::uint32_t>(i) * 4)
                 : "memory");
}
__device__ __forceinline__ void write_piece(std::uint16_t* target, const float (&v)[8]) {
  *reinterpret_cast<uint4*>(target) = make_uint4(pack(v[0], v[1]), pack(v[2], v[3]), pack(v[4], v[5]), pack(v[6], v[7]));
}

/// Rounds a sum times `factor` and writes it, the rows from number `valid` on excepted; `target` is row 0 of the 64.
/// With tables, whose first row is row 0's, it is turned backwards by its tokens' angles before.
template <int head_size, bool is_rotated>
__device__ __forceinline__ void write_rows(const float (&sum)[head_size / 2], float factor, const Stage& stage,
                                           const TilePlace& place, std::uint16_t* target, std::int64_t stride,
                                           int valid, const float* cosine, const float* sine) {
  constexpr int half = head_size / 16;
#pragma unroll
  for (int part = 0; part < 2; ++part) {
    __syncwarp();
#pragma unroll
    for (int n = 0; n < head_size / 8; ++n)
      stage_pair(stage.segment(place.row % 8, n) + static_cast<std::uint32_t>(place.column) * 4,
                 sum[4 * n + 2 * part] * factor, sum[4 * n + 2 * part + 1] * factor);
    __syncwarp();
#pragma unroll
    for (int i = static_cast<int>(threadIdx.x % 32); i < 8 * half; i += 32) {
      const int row = place.row / 16 * 16 + 8 * part + i / half;
      const int piece = i % half;
      float first[8], second[8];
      read_segment(first, stage.segment(i / half, piece));
      read_segment(second, stage.segment(i / half, piece + half));
      if (row >= valid) continue;
      if constexpr (is_rotated) {
        Angles angles;
        load_floats(angles.cosine, cosine + row * (head_size / 2) + piece * 8);
        load_floats(angles.sine, sine + row * (head_size / 2) + piece * 8);
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          const float a = first[j], b = second[j];
          first[j] = a * angles.cosine[j] + b * angles.sine[j];
          second[j] = b * angles.cosine[j] - a * angles.sine[j];
        }
      }
      std::uint16_t* const address = target + row * stride + piece * 8;
      write_piece(address, first);
      write_piece(address + head_size / 2, second);
    }
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
