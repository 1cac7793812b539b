#pragma once

#include <driver_types.h>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace Sward {

/// One product C = alpha op(A) op(B) + beta S of row-major matrices with sums in float, as far as it decides how it is
/// computed: op(A) is m x k, op(B) k x n, strides are the elements from one row to the next. A and B are in bfloat16,
/// or in 8 bits (e4m3), each row of op(A) and each column of op(B) then with a scale.
struct CublasLtProduct {
  std::int64_t m, n, k;
  std::int64_t a_stride, b_stride, source_stride, result_stride;
  bool a_is_transposed, b_is_transposed;
  bool float_result;  ///< C and S are float; otherwise bfloat16
  bool is_added_to;   ///< beta is not 0
  bool is_float8;     ///< A and B are; A then is not transposed, B is, and sums are in 14 bits
  /// Bytes, a power of two up to 256, that all operands' addresses are multiples of.
  std::uint32_t alignment;

  auto operator<=>(const CublasLtProduct&) const = default;
};

struct CublasLtOperands {
  const void* a;
  const void* b;
  const void* source;  ///< S, may be `result`
  void* result;
  const float* a_scale = nullptr;  ///< m scales of A in 8 bits, on the device
  const float* b_scale = nullptr;  ///< n scales of B
};

/// What cuBLASLt is given as scratch for each stream that products are queued on; allocated with its first product.
inline constexpr std::size_t cublaslt_workspace_bytes = std::size_t{64} << 20;

/// Queues the product on `stream`. The first product of a kind measures the algorithms that cuBLASLt proposes, where
/// that destroys nothing (S is not C), and waits for them; the fastest is kept for the life of the process. Without
/// measuring it is the one that cuBLASLt proposes first.
/// Throws std::runtime_error with cuBLASLt's status and the product's extents.
void cublaslt_product(cudaStream_t stream, const CublasLtProduct& product, float alpha, float beta,
                      const CublasLtOperands& operands);

/// Whether products of a kind that has not come up yet are measured, as they are at first. Clocks decide between
/// algorithms that are about as fast, so that processes which measure may differ in the last bits.
void set_cublaslt_measuring(bool measures);

/// How many products went through cublaslt_product, so that a test can tell which path was taken.
std::uint64_t cublaslt_product_count();

/// The algorithm that a kind of product is computed with, in cuBLASLt's own encoding, which holds for one version of
/// it and one kind of device.
struct CublasLtChoice {
  CublasLtProduct product;
  std::uint64_t algorithm[8];
};

/// What an algorithm's encoding holds for: cuBLASLt's version and the device.
std::string cublaslt_environment();

/// All algorithms chosen so far, and their restoration in another process: the same bits need the same algorithms.
std::vector<CublasLtChoice> cublaslt_choices();
void restore_cublaslt_choices(const std::vector<CublasLtChoice>& choices);

}  // namespace Sward
