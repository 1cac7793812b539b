#pragma once

#include <driver_types.h>

#include <cstdint>

namespace Sward {

/// Extents of a product that ends in a gated unit, and the elements from one row of each operand to the next. Operands
/// are row-major matrices of bfloat16 at multiples of 16 bytes.
struct GatedProductShape {
  std::int64_t tokens;  ///< b
  std::int64_t hidden;  ///< k
  std::int64_t width;   ///< n, a multiple of 8
  std::int64_t input_stride, weight_stride, gate_up_stride;
  std::int64_t product_stride;  ///< of the forward pass alone
};

/// Whether the extents are positive, and all strides multiples of 8.
bool gated_product_serves(const GatedProductShape& shape);

/// gate_up = input weightᵀ, b x 2n, and product = silu(gate) * up of its first and its last n columns. `input` is b x
/// k, `weight` 2n x k. By one kernel for sm_90a, in float but for the operands: gate and up are rounded before the
/// product. Queued on `stream`. Throws std::runtime_error with the shape where it is not served, or CUDA refuses the
/// launch.
void gated_product(cudaStream_t stream, const GatedProductShape& shape, const void* input, const void* weight,
                   void* gate_up, void* product);

/// The gradients of gate and up, in their place, where that of silu(gate) * up is output_gradient weight, rounded.
/// `output_gradient` is b x k, `weight` k x n, `gate_up` b x 2n.
void gated_product_backward(cudaStream_t stream, const GatedProductShape& shape, const void* output_gradient,
                            const void* weight, void* gate_up);

/// How many products went through these two, so that a test can tell which path was taken.
std::uint64_t gated_product_count();

}  // namespace Sward
