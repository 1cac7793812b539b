#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <type_traits>

#include "Sward_Check.hpp"
#include "Sward_Copy.hpp"
#include "Sward_DeviceMatrixProduct.hpp"
#include "Sward_Float8Matrix.hpp"
#include "Sward_Operands.hpp"
#include "Sward_SmallMatrixProduct.hpp"

namespace Sward {

/// Extents of which products in 8 bits must have a multiple along the sum and across the result: devices read operands
/// and write results in accesses of 16 bytes.
inline constexpr std::size_t float8_extent = 16;

/// C = A Bᵀ + beta S of 8-bit matrices: A is m x k, B is n x k, C and S are m x n in bfloat16 and S may be C; k and n
/// are multiples of float8_extent. Asynchronous on `space`.
///
/// On CUDA cuBLASLt multiplies, which needs a card of compute capability 9.0 (Hopper) and adds in 14 bits;
/// elsewhere sums are in double. beta = 0 overwrites C whatever S holds. Throws ExtentError when the extents do not
/// fit.
template <class ExecutionSpace, class A, class B, class SView, class CView>
void float8_product(const ExecutionSpace& space, const A& a, const B& b, float beta, const SView& source,
                    const CView& c) {
  static_assert(are_inputs<ExecutionSpace, SView>() && are_outputs<ExecutionSpace, CView>());
  static_assert(SView::rank() == 2 && CView::rank() == 2, "Sward::float8_product: S and C must be matrices");
  static_assert(std::is_same_v<typename CView::non_const_value_type, BFloat16>,
                "Sward::float8_product: C must be of BFloat16");
  static_assert(std::is_same_v<typename SView::non_const_value_type, BFloat16>,
                "Sward::float8_product: S must be of BFloat16");
  static_assert(are_row_major<decltype(a.codes), decltype(b.codes), SView, CView>,
                "Sward::float8_product: A, B, S and C must be row-major");
  require_float8_matrix<ExecutionSpace>("Sward::float8_product", "A", a, c.extent(0), a.extent(1));
  require_float8_matrix<ExecutionSpace>("Sward::float8_product", "B", b, c.extent(1), a.extent(1));
  require_extents("Sward::float8_product", "S", {source.extent(0), source.extent(1)}, {c.extent(0), c.extent(1)});
  require_extents("Sward::float8_product", "the rest of k and n by 16",
                  {a.extent(1) % float8_extent, c.extent(1) % float8_extent}, {0, 0});
  if (c.extent(0) == 0 || c.extent(1) == 0) return;
  if constexpr (uses_cublaslt_for_float8<ExecutionSpace>) {
    if (a.extent(1) > 0) return device_float8_product(space, a, b, beta, source, c);
  }
  if (beta != 0 && source.data() != c.data()) copy(space, source, c);
  small_matrix_product(space, Transpose::no, Transpose::yes, 1.0, a, b, static_cast<double>(beta), c);
}

}  // namespace Sward
