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

/// Queues a kernel that needs more shared memory than is allowed unasked, and tells it how many blocks run at once.
template <class Operands>
void launch_kernel(const char* function, cudaStream_t stream, void (*kernel)(Operands), dim3 grid, int threads,
                   int shared_bytes, Operands operands) {
  const ShortAttentionShape& shape = operands.shape;
  const auto bytes = static_cast<std::size_t>(shared_bytes);
  int device = 0, multiprocessors = 0, blocks = 0;
  check_launch(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes), function,
               shape);
  check_launch(cudaGetDevice(&device), function, shape);
  check_launch(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), function, shape);
  check_launch(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, bytes), function, shape);
  operands.resident_blocks = static_cast<unsigned>(multiprocessors * blocks);
  kernel<<<grid, static_cast<unsigned>(threads), bytes, stream>>>(operands);
  check_launch(cudaGetLastError(), function, shape);
}

}  // namespace Sward
