#pragma once

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "Sward_AttentionShape.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_CudnnAttention.hpp"
#include "Sward_Pack.hpp"

// Which attention is cuDNN's, and how cuDNN is asked for it.

namespace Sward {

/// Memory that attention works in; empty where attention_workspace_bytes is 0. Arguments of this type are converted to
/// it: nothing is deduced from them.
template <class ExecutionSpace>
using AttentionWorkspace = std::type_identity_t<
    Kokkos::View<std::byte*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>>;

/// Whether kernels of this execution space may be cuDNN's in this build.
#if defined(SWARD_WITH_CUDNN) && defined(KOKKOS_ENABLE_CUDA)
template <class ExecutionSpace>
inline constexpr bool has_cudnn = std::is_same_v<ExecutionSpace, Kokkos::Cuda>;
#else
template <class ExecutionSpace>
inline constexpr bool has_cudnn = false;
#endif

/// Whether cuDNN has a forward and a backward pass for the shape. It refuses the backward pass of single tokens, and
/// head sizes that are no multiple of 8; larger ones than 128 are left to the portable kernels.
inline bool is_cudnn_shape(const AttentionShape& shape) {
  return shape.sequences > 0 && shape.length > 1 && shape.head_size % 8 == 0 && shape.head_size <= 128;
}

/// Whether cuDNN can read or write the matrix: of bfloat16, with neighbours in neighbouring columns, its rows aligned
/// to 16 bytes.
template <class View>
bool is_cudnn_matrix(const View& view) {
  if constexpr (!std::is_same_v<typename View::non_const_value_type, BFloat16>) return false;
  return view.stride(1) == 1 && is_packable<8>(view);
}

/// Whether attention over these operands is cuDNN's, in both passes. Documents are not, nor other types than bfloat16.
template <class FirstKeys, class Query, class Key, class Value, class Output, class LogSumExp>
bool uses_cudnn(const AttentionShape& shape, const FirstKeys&, const Query& query, const Key& key, const Value& value,
                const Output& output, const LogSumExp& logsumexp) {
  return std::is_same_v<FirstKeys, WholeSequence> && std::is_same_v<typename LogSumExp::non_const_value_type, float> &&
         logsumexp.span_is_contiguous() && is_cudnn_shape(shape) && is_cudnn_matrix(query) && is_cudnn_matrix(key) &&
         is_cudnn_matrix(value) && is_cudnn_matrix(output);
}

/// The problem of operands whose rows are so many elements apart.
inline CudnnAttentionProblem cudnn_problem(const AttentionShape& shape, std::int64_t query_stride,
                                           std::int64_t key_stride, std::int64_t value_stride,
                                           std::int64_t output_stride) {
  return {shape.sequences, shape.length, shape.heads,  shape.key_value_heads, shape.head_size,
          query_stride,    key_stride,   value_stride, output_stride};
}

/// Elements from one row of a matrix to the next.
template <class View>
std::int64_t row_stride(const View& view) {
  return static_cast<std::int64_t>(view.stride(0));
}

/// Workspace that cuDNN certainly does without more of, for a plan made where there is no device. Of the backward pass
/// its front end asks for a number a query and a head, and without `deterministic` for the queries' gradient in float;
/// with it cuDNN keeps the gradient of all scores, in blocks of 64 x 128, in two bytes. Keys and values that several
/// heads share have their gradients for each head first. A mebibyte is for what does not grow.
inline std::size_t cudnn_workspace_bound(const AttentionShape& shape) {
  const auto padded = [](int count, std::size_t multiple) {
    return (static_cast<std::size_t>(count) + multiple - 1) / multiple * multiple;
  };
  const std::size_t length = padded(shape.length, 128);
  const std::size_t columns = padded(shape.head_size, 64);
  const std::size_t query_gradient = columns * sizeof(float);
  const std::size_t scores = length * sizeof(BFloat16);
  const std::size_t shared = shape.heads_per_group() > 1 ? 2 * columns * sizeof(float) : 0;
  const std::size_t by_query = 2 * sizeof(float) + (shape.deterministic ? scores : query_gradient) + shared;
  return static_cast<std::size_t>(shape.sequences) * static_cast<std::size_t>(shape.heads) * length * by_query +
         (std::size_t{1} << 20);
}

/// Bytes of workspace for attention, and for attention_backward if wanted, on operands that cuDNN can take: columns of
/// one matrix of queries, keys and values side by side, an output by itself, gradients alike. 0 where the portable
/// kernels do it. Asks cuDNN, and so builds the plans that the first passes would; without a device, an upper bound.
template <class ExecutionSpace, class Scalar>
std::size_t attention_workspace_bytes(const AttentionShape& shape, bool with_backward = true) {
  if constexpr (has_cudnn<ExecutionSpace> && std::is_same_v<Scalar, BFloat16>) {
    if (!is_cudnn_shape(shape)) return 0;
    if (!has_cuda_device()) return cudnn_workspace_bound(shape);
    const std::int64_t packed = shape.query_columns() + 2 * shape.key_value_columns();
    const CudnnAttentionProblem problem = cudnn_problem(shape, packed, packed, packed, shape.query_columns());
    const std::size_t forward = cudnn_attention_workspace_bytes(problem);
    if (!with_backward) return forward;
    return std::max(forward, cudnn_attention_workspace_bytes(
                                 {problem, packed, packed, packed, shape.query_columns(), shape.deterministic}));
  }
  return 0;
}

/// Enqueues attention's forward pass, where uses_cudnn.
template <class ExecutionSpace, class Query, class Key, class Value, class Output, class LogSumExp>
void enqueue_cudnn_attention(const ExecutionSpace& space, const AttentionShape& shape, const Query& query,
                             const Key& key, const Value& value, const Output& output, const LogSumExp& logsumexp,
                             const AttentionWorkspace<ExecutionSpace>& workspace) {
  const Kokkos::Profiling::ScopedRegion region("Sward::attention::cudnn");
  cudnn_attention({space.cuda_device(), space.cuda_stream()},
                  cudnn_problem(shape, row_stride(query), row_stride(key), row_stride(value), row_stride(output)),
                  {query.data(), key.data(), value.data(), output.data(), logsumexp.data()},
                  {workspace.data(), workspace.size()});
}

/// Enqueues attention's backward pass, where uses_cudnn.
template <class ExecutionSpace, class Query, class Key, class Value, class Output, class LogSumExp,
          class OutputGradient, class QueryGradient, class KeyGradient, class ValueGradient>
void enqueue_cudnn_attention_backward(const ExecutionSpace& space, const AttentionShape& shape, const Query& query,
                                      const Key& key, const Value& value, const Output& output,
                                      const LogSumExp& logsumexp, const OutputGradient& output_gradient,
                                      const QueryGradient& query_gradient, const KeyGradient& key_gradient,
                                      const ValueGradient& value_gradient,
                                      const AttentionWorkspace<ExecutionSpace>& workspace) {
  // No other kernel can go on from what cuDNN's forward pass has left in logsumexp.
  require(is_cudnn_matrix(output_gradient) && is_cudnn_matrix(query_gradient) && is_cudnn_matrix(key_gradient) &&
              is_cudnn_matrix(value_gradient),
          "Sward::attention_backward",
          "gradients must be of bfloat16 in rows aligned to 16 bytes, as the operands are");
  const Kokkos::Profiling::ScopedRegion region("Sward::attention_backward::cudnn");
  cudnn_attention_backward(
      {space.cuda_device(), space.cuda_stream()},
      {cudnn_problem(shape, row_stride(query), row_stride(key), row_stride(value), row_stride(output)),
       row_stride(query_gradient), row_stride(key_gradient), row_stride(value_gradient), row_stride(output_gradient),
       shape.deterministic},
      {query.data(), key.data(), value.data(), output.data(), logsumexp.data(), output_gradient.data(),
       query_gradient.data(), key_gradient.data(), value_gradient.data()},
      {workspace.data(), workspace.size()});
}

}  // namespace Sward
