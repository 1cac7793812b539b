#pragma once

// silu(gate) * up and its gradients, pieces of them, in float from bfloat16 and rounded to it.

#include "Sward_Piece.hpp"
#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

/// 1 / (1 + e^-x) to 2^-21, more than enough before a rounding to two bytes.
__device__ __forceinline__ float rough_sigmoid(float x) {
  constexpr float log2_of_e = 1.4426950408889634F;
  return reciprocal(1.0F + power_of_two(-log2_of_e * x));
}

__device__ __forceinline__ float gated(float gate, float up) { return gate * rough_sigmoid(gate) * up; }

__device__ __forceinline__ Piece gated(const Piece& gate, const Piece& up) {
  Piece product;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    product.word[i] = pack(gated(low(gate.word[i]), low(up.word[i])), gated(high(gate.word[i]), high(up.word[i])));
  return product;
}

/// For the gradient of the product, `above`.
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
