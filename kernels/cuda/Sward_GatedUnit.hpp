#pragma once

// Eight neighbouring values of silu(gate) * up, and of its gradients, in float from bfloat16.

#include <cstdint>

#include "Sward_RotaryRows.hpp"

namespace Sward {

/// Queues the copy of a piece to shared memory.
__device__ __forceinline__ void copy_piece(std::uint32_t target, const std::uint16_t* source) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(target), "l"(source) : "memory");
}

/// Waits until at most `pending` groups of this thread's copies are under way.
template <int pending>
__device__ __forceinline__ void await_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

__device__ __forceinline__ Piece load_of_stream(const std::uint16_t* source, std::uint64_t policy) {
  Piece p;
  asm volatile("ld.global.L1::no_allocate.L2::cache_hint.v4.u32 {%0, %1, %2, %3}, [%4], %5;"
               : "=r"(p.word[0]), "=r"(p.word[1]), "=r"(p.word[2]), "=r"(p.word[3])
               : "l"(source), "l"(policy));
  return p;
}

__device__ __forceinline__ void write_piece(std::uint16_t* target, const Piece& p) {
  *reinterpret_cast<uint4*>(target) = make_uint4(p.word[0], p.word[1], p.word[2], p.word[3]);
}

__device__ __forceinline__ void store_of_stream(std::uint16_t* target, const Piece& p, std::uint64_t policy) {
  asm volatile("st.global.L2::cache_hint.v4.u32 [%0], {%1, %2, %3, %4}, %5;" ::"l"(target), "r"(p.word[0]),
               "r"(p.word[1]), "r"(p.word[2]), "r"(p.word[3]), "l"(policy)
               : "memory");
}

/// 1 / (1 + e^-x), to what is rounded to two bytes afterwards.
__device__ __forceinline__ float rough_sigmoid(float x) {
  constexpr float log2_of_e = 1.4426950408889634F;
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(1.0F + power_of_two(-x * log2_of_e)));
  return result;
}

__device__ __forceinline__ float gated(float gate, float up) { return gate * rough_sigmoid(gate) * up; }

__device__ __forceinline__ Piece gated(const Piece& gate, const Piece& up) {
  Piece product;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    product.word[i] =
        pack(gated(low(gate.word[i]), low(up.word[i])), gated(high(gate.word[i]), high(up.word[i])));
  return product;
}

struct GatedGradient {
  float gate, up;
  __device__ __forceinline__ GatedGradient(float x, float linear, float above) {
    const float factor = rough_sigmoid(x);
    const float silu = x * factor;
    gate = above * linear * (factor + silu * (1.0F - factor));
    up = above * silu;
  }
};

/// Gate and up become their gradients.
__device__ __forceinline__ void gated_backward(Piece& gate, Piece& up, const Piece& above) {
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const GatedGradient first(low(gate.word[i]), low(up.word[i]), low(above.word[i]));
    const GatedGradient second(high(gate.word[i]), high(up.word[i]), high(above.word[i]));
    gate.word[i] = pack(first.gate, second.gate);
    up.word[i] = pack(first.up, second.up);
  }
}

}  // namespace Sward
