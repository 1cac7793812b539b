#pragma once

#include <driver_types.h>

#include <cstdint>

namespace Sward {

/// Columns of a matrix, whose numbers are in `columns`, next to each other in the rows of `values`.
template <class T>
struct WrittenColumns {
  const int* columns;
  T* values;
  std::int64_t stride;
  int count;  ///< 0: nothing is written
};

/// Operands of rms_norm_gradients: `rows` x `columns` matrices of float, or of bfloat16 by their bits. Strides are the
/// elements from one row to the next.
template <class T>
struct RmsNormOperands {
  int rows, columns;
  const T* output_gradient;
  std::int64_t output_gradient_stride;
  const T* input;
  std::int64_t input_stride;
  const T* weight;           ///< `columns`
  const float* inverse_rms;  ///< `rows`
  T* input_gradient;
  std::int64_t input_gradient_stride;
  bool adds_to_input_gradient;
  float* partials;  ///< parts x columns
  int parts;
  WrittenColumns<T> gradient_columns;   ///< of the result
  WrittenColumns<T> normed_columns[2];  ///< of input * inverse_rms * weight
};

/// The longest row that rms_norm_gradients takes.
template <class T>
inline constexpr int rms_norm_longest = 16 / static_cast<int>(sizeof(T)) * 256 * 4;

/// Both gradients of the RMS norm in one pass over its operands: that of the input is added to input_gradient, or
/// overwrites it, and row p of `partials` becomes the p-th part of that of the weight; which rows it is the sum of
/// depends on the extents alone. Columns, strides and addresses must be multiples of 16 bytes. Queued on `stream`.
/// Throws std::runtime_error with the extents where the launch fails. T: float, or std::uint16_t for bfloat16.
template <class T>
void rms_norm_gradients(cudaStream_t stream, const RmsNormOperands<T>& operands);

}  // namespace Sward
