#pragma once

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <type_traits>
#include <utility>

#include "Sward_Attention.hpp"
#include "Sward_AttentionBackward.hpp"
#include "Sward_Operands.hpp"
#include "Sward_PackedColumns.hpp"
#include "Sward_PackedGradient.hpp"
#include "Sward_RotaryEmbedding.hpp"
#ifdef KOKKOS_ENABLE_CUDA
#include "Sward_ShortAttention.hpp"
#endif

namespace Sward {

/// Throws unless tables, packed queries, keys and values, and outputs are those of the shape: before anything is
/// rotated, since packed would not be what it was.
template <class Table, class Packed, class Output, class LogSumExp>
void check_rotary_attention(const char* function, const AttentionShape& shape, const Table& cosine, const Table& sine,
                            const Packed& packed, const Output& output, const LogSumExp& logsumexp) {
  check_attention_shape(function, shape);
  for (const auto& [argument, table] : {std::pair("cosine", cosine), std::pair("sine", sine)})
    require_extents(function, argument, {table.extent(0), table.extent(1)},
                    {static_cast<std::size_t>(shape.length), static_cast<std::size_t>(shape.head_size) / 2});
  require_token_rows(function, "packed", packed, shape, shape.query_columns() + 2 * shape.key_value_columns());
  require_token_rows(function, "output", output, shape, shape.query_columns());
  require_token_rows(function, "logsumexp", logsumexp, shape, shape.heads);
}

/// Whether the kernel for short sequences takes operands of these types.
#ifdef KOKKOS_ENABLE_CUDA
template <class ExecutionSpace, class FirstKeys, class Packed>
inline constexpr bool may_be_short_attention = std::is_same_v<ExecutionSpace, Kokkos::Cuda>&&
    std::is_same_v<FirstKeys, WholeSequence>&& std::is_same_v<typename Packed::non_const_value_type, BFloat16>;

template <class Packed, class Output>
ShortAttentionShape short_attention_shape(const AttentionShape& shape, const Packed& packed, const Output& output) {
  const auto packed_stride = static_cast<std::int64_t>(packed.stride(0));
  const auto output_stride = static_cast<std::int64_t>(output.stride(0));
  return {shape.sequences, shape.length,  shape.heads,   shape.key_value_heads, shape.head_size,
          packed_stride,   output_stride, packed_stride, output_stride};
}

/// Whether attention over these operands is that of short sequences, in both passes. Beyond the sizes whose backward
/// pass keeps a whole head in the memory of a multiprocessor, and for grouped queries, cuDNN is faster.
template <class Packed, class Output>
bool uses_short_attention(const AttentionShape& shape, const Packed& packed, const Output& output) {
  return shape.tokens() > 0 && shape.heads == shape.key_value_heads && shape.length * shape.head_size <= 384 * 64 &&
         is_packable<8>(packed) && is_packable<8>(output) &&
         short_attention_serves(short_attention_shape(shape, packed, output));
}
#else
template <class ExecutionSpace, class FirstKeys, class Packed>
inline constexpr bool may_be_short_attention = false;
#endif

/// attention on packed queries, keys and values (b x (heads + 2 key_value_heads) * head_size) whose queries and keys
/// are rotated first: in `packed` itself, or on their way into a kernel for short sequences, which leaves `packed` as
/// it is. rotary_attention_backward is to find it as it was left. cosine and sine are T x head_size / 2.
template <class ExecutionSpace, class FirstKeys, class Table, class Packed, class Output, class LogSumExp>
void rotary_attention(const ExecutionSpace& space, const AttentionShape& shape, const FirstKeys& first_keys,
                      const Table& cosine, const Table& sine, const Packed& packed, const Output& output,
                      const LogSumExp& logsumexp, const AttentionWorkspace<ExecutionSpace>& workspace) {
  static_assert(are_inputs<ExecutionSpace, Table>() && are_outputs<ExecutionSpace, Packed, Output, LogSumExp>());
  static_assert(Packed::rank() == 2, "Sward::rotary_attention: the operands must be matrices");
  static_assert(are_row_major<Table, LogSumExp>, "Sward::rotary_attention: tables and logsumexp must be row-major");
  const char* const function = "Sward::rotary_attention";
  check_rotary_attention(function, shape, cosine, sine, packed, output, logsumexp);
  require_first_keys(function, first_keys, shape);
  if constexpr (may_be_short_attention<ExecutionSpace, FirstKeys, Packed>) {
    if (uses_short_attention(shape, packed, output)) {
      const Kokkos::Profiling::ScopedRegion region("Sward::attention::short");
      short_attention(space.cuda_stream(), short_attention_shape(shape, packed, output), packed.data(), cosine.data(),
                      sine.data(), output.data(), logsumexp.data());
      return;
    }
  }
  rotary_embedding(space, cosine, sine, rotated_heads(shape), rotated_of(shape, packed));
  attention(space, shape, first_keys, queries_of(shape, packed), keys_of(shape, packed), values_of(shape, packed),
            output, logsumexp, workspace);
}

/// Gradient of rotary_attention with respect to the queries, keys and values before their rotation, overwritten in
/// packed_gradient. `delta` is workspace, b x heads. `copies` of that gradient are written besides.
template <class ExecutionSpace, class FirstKeys, class Table, class Packed, class Output, class LogSumExp,
          class OutputGradient, class Delta, class PackedGradient,
          class Copies = PackedGradientCopies<ExecutionSpace, ElementOf<PackedGradient>>>
void rotary_attention_backward(const ExecutionSpace& space, const AttentionShape& shape, const FirstKeys& first_keys,
                               const Table& cosine, const Table& sine, const Packed& packed, const Output& output,
                               const LogSumExp& logsumexp, const OutputGradient& output_gradient, const Delta& delta,
                               const PackedGradient& packed_gradient,
                               const AttentionWorkspace<ExecutionSpace>& workspace, const Copies& copies = {}) {
  static_assert(are_inputs<ExecutionSpace, Table, Packed, Output, LogSumExp, OutputGradient>() &&
                are_outputs<ExecutionSpace, Delta, PackedGradient>());
  static_assert(Packed::rank() == 2 && PackedGradient::rank() == 2,
                "Sward::rotary_attention_backward: the operands must be matrices");
  static_assert(are_row_major<Table, LogSumExp>,
                "Sward::rotary_attention_backward: tables and logsumexp must be row-major");
  const char* const function = "Sward::rotary_attention_backward";
  check_rotary_attention(function, shape, cosine, sine, packed, output, logsumexp);
  require_first_keys(function, first_keys, shape);
  require_token_rows(function, "output_gradient", output_gradient, shape, shape.query_columns());
  require_token_rows(function, "delta", delta, shape, shape.heads);
  require_token_rows(function, "packed_gradient", packed_gradient, shape,
                     shape.query_columns() + 2 * shape.key_value_columns());
  check_packed_copies(function, shape, copies);
  if constexpr (may_be_short_attention<ExecutionSpace, FirstKeys, Packed>) {
    if (uses_short_attention(shape, packed, output)) {
      auto strided = short_attention_shape(shape, packed, output);
      strided.packed_gradient_stride = static_cast<std::int64_t>(packed_gradient.stride(0));
      strided.output_gradient_stride = static_cast<std::int64_t>(output_gradient.stride(0));
      const Kokkos::Profiling::ScopedRegion region("Sward::attention_backward::short");
      short_attention_backward(space.cuda_stream(), strided, packed.data(), cosine.data(), sine.data(), output.data(),
                               logsumexp.data(), output_gradient.data(), packed_gradient.data());
      return finish_packed_gradient(space, shape, false, cosine, sine, packed_gradient, copies);
    }
  }
  attention_backward(space, shape, first_keys, queries_of(shape, packed), keys_of(shape, packed),
                     values_of(shape, packed), output, logsumexp, output_gradient, delta,
                     queries_of(shape, packed_gradient), keys_of(shape, packed_gradient),
                     values_of(shape, packed_gradient), workspace);
  finish_packed_gradient(space, shape, true, cosine, sine, packed_gradient, copies);
}

}  // namespace Sward
