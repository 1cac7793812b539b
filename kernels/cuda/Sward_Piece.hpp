#pragma once

// A piece is 16 bytes, 8 values of bfloat16, and what global memory, shared memory and registers exchange at one time.

#include <cstdint>

namespace Sward {

struct Piece {
  std::uint32_t word[4];
};

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

__device__ __forceinline__ float low(std::uint32_t word) { return __uint_as_float(word << 16); }
__device__ __forceinline__ float high(std::uint32_t word) { return __uint_as_float(word & 0xffff0000U); }

/// Queues the copy of a piece from global to shared memory.
__device__ __forceinline__ void copy_piece(std::uint32_t target, const std::uint16_t* source) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(source) : "memory");
}

/// The copies that this thread has queued since the last call form a group.
__device__ __forceinline__ void end_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

/// Waits until at most `pending` groups of this thread's copies are under way.
template <int pending>
__device__ __forceinline__ void wait_for_own_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

__device__ __forceinline__ void write_piece(std::uint16_t* target, const Piece& p) {
  *reinterpret_cast<uint4*>(target) = make_uint4(p.word[0], p.word[1], p.word[2], p.word[3]);
}

__device__ __forceinline__ float power_of_two(float exponent) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(exponent));
  return result;
}

__device__ __forceinline__ float reciprocal(float value) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
  return result;
}

}  // namespace Sward
