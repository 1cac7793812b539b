#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

struct CUstream_st;  // what CUDA's cudaStream_t points to; this header needs nothing of CUDA

namespace Sward {

/// Causal attention on bfloat16 operands as cuDNN is asked for it; everything that its plans depend on. A stride is the
/// number of elements from one token's row to the next; the heads of a row lie side by side.
struct CudnnAttentionProblem {
  std::int64_t sequences = 0;
  std::int64_t length = 0;
  std::int64_t heads = 0;
  std::int64_t key_value_heads = 0;
  std::int64_t head_size = 0;
  std::int64_t query_stride = 0;
  std::int64_t key_stride = 0;
  std::int64_t value_stride = 0;
  std::int64_t output_stride = 0;

  auto operator<=>(const CudnnAttentionProblem&) const = default;
};

/// What the plan of the backward pass depends on besides.
struct CudnnAttentionGradientProblem {
  CudnnAttentionProblem attention;
  std::int64_t query_gradient_stride = 0;
  std::int64_t key_gradient_stride = 0;
  std::int64_t value_gradient_stride = 0;
  std::int64_t output_gradient_stride = 0;
  bool deterministic = true;  ///< the same bits in every run

  auto operator<=>(const CudnnAttentionGradientProblem&) const = default;
};

/// Memory that an execution may use, aligned to 16 bytes.
struct CudnnWorkspace {
  void* data = nullptr;
  std::size_t bytes = 0;
};

/// Where an execution is enqueued.
struct CudnnQueue {
  int device;
  CUstream_st* stream;
};

/// logsumexp is float, sequences x heads x length without gaps.
struct CudnnAttentionOperands {
  const void *query, *key, *value;
  void *output, *logsumexp;
};

struct CudnnAttentionGradientOperands {
  const void *query, *key, *value, *output, *logsumexp, *output_gradient;
  void *query_gradient, *key_gradient, *value_gradient;
};

/// Whether this machine has a CUDA device, whose plans can be asked for.
bool has_cuda_device();

/// Builds the plan for the current device, if it has not been built yet, and returns the workspace that it needs.
std::size_t cudnn_attention_workspace_bytes(const CudnnAttentionProblem& problem);
std::size_t cudnn_attention_workspace_bytes(const CudnnAttentionGradientProblem& problem);

/// Enqueues an attention. Throws std::runtime_error with the problem and cuDNN's words when cuDNN refuses it, and
/// std::invalid_argument when the workspace is too small.
void cudnn_attention(const CudnnQueue& queue, const CudnnAttentionProblem& problem,
                     const CudnnAttentionOperands& operands, const CudnnWorkspace& workspace);
void cudnn_attention_backward(const CudnnQueue& queue, const CudnnAttentionGradientProblem& problem,
                              const CudnnAttentionGradientOperands& operands, const CudnnWorkspace& workspace);

}  // namespace Sward
