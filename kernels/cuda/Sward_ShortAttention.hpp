#pragma once

#include <driver_types.h>

#include <cstdint>

namespace Sward {

/// Causal self-attention over `sequences` sequences of `length` tokens of bfloat16, one row a token. Query head h uses
/// key and value head h / (heads / key_value_heads). Strides are the elements from one token's row to the next.
struct ShortAttentionShape {
  int sequences;
  int length;
  int heads;
  int key_value_heads;
  int head_size;
  std::int64_t packed_stride;  ///< of q|k|v, (heads + 2 key_value_heads) * head_size columns
  std::int64_t output_stride;  ///< of the output, heads * head_size columns
  std::int64_t packed_gradient_stride;
  std::int64_t output_gradient_stride;
};

/// Whether the two functions below take the shape: head size 64 up to 512 tokens or 128 up to 256, and strides that are
/// multiples of 16 bytes. The operands' addresses must be such multiples too.
bool short_attention_serves(const ShortAttentionShape& shape);

/// output = softmax(q kᵀ / sqrt(head_size)) v of each head, where q and k are turned by the rotary embedding on their
/// way in (`cosine` and `sine` are length x head_size / 2); logsumexp, b x heads, is for the backward pass. Queued on
/// `stream`. Throws std::runtime_error with the shape where it is not served or the launch fails.
void short_attention(cudaStream_t stream, const ShortAttentionShape& shape, const void* packed, const float* cosine,
                     const float* sine, void* output, float* logsumexp);

/// packed_gradient, dq|dk|dv, with respect to the q|k|v before their rotation. The same bits in every run.
void short_attention_backward(cudaStream_t stream, const ShortAttentionShape& shape, const void* packed,
                              const float* cosine, const float* sine, const void* output, const float* logsumexp,
                              const void* output_gradient, void* packed_gradient);

}  // namespace Sward
