#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "Sward_ShortAttention.hpp"

namespace Sward {

inline std::string describe(const ShortAttentionShape& s) {
  return std::to_string(s.sequences) + " sequences of " + std::to_string(s.length) + " tokens, " +
         std::to_string(s.heads) + " heads over " + std::to_string(s.key_value_heads) + " of size " +
         std::to_string(s.head_size) + ", strides " + std::to_string(s.packed_stride) + ", " +
         std::to_string(s.output_stride) + ", " + std::to_string(s.packed_gradient_stride) + ", " +
         std::to_string(s.output_gradient_stride);
}

inline void require_served(const char* function, const ShortAttentionShape& shape) {
  if (!short_attention_serves(shape))
    throw std::runtime_error(std::string(function) + ": does not serve " + describe(shape));
}

inline void check_launch(cudaError_t code, const char* function, const ShortAttentionShape& shape) {
  if (code != cudaSuccess)
    throw std::runtime_error(std::string(function) + ": " + cudaGetErrorString(code) + ", for " + describe(shape));
}

/// Queues a kernel that needs more shared memory than is allowed unasked.
template <class Kernel, class Operands>
void launch_kernel(const char* function, cudaStream_t stream, const ShortAttentionShape& shape, Kernel kernel,
                   dim3 grid, int threads, int shared_bytes, const Operands& operands) {
  if (grid.y == 0) return;  // no sequences
  check_launch(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes), function,
               shape);
  kernel<<<grid, static_cast<unsigned>(threads), static_cast<std::size_t>(shared_bytes), stream>>>(operands);
  check_launch(cudaGetLastError(), function, shape);
}

}  // namespace Sward
