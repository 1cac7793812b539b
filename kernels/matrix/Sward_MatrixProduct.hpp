#pragma once

#include <KokkosBlas2_gemv.hpp>
#include <KokkosBlas3_gemm.hpp>
#include <Kokkos_Core.hpp>
#include <mutex>

#include "Sward_Check.hpp"
#include "Sward_Copy.hpp"
#include "Sward_DeviceMatrixProduct.hpp"
#include "Sward_Fill.hpp"
#include "Sward_HostMatrixProduct.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Real.hpp"
#include "Sward_Scale.hpp"
#include "Sward_SmallMatrixProduct.hpp"

namespace Sward {

/// The same elements as an unmanaged view of the given execution space: Kokkos Kernels recognises a vendor's product
/// by the exact view type, and would otherwise fall back to its own, slower one.
template <class ExecutionSpace, class Scalar, class View>
auto as_operand(const View& view) {
  using Device = Kokkos::Device<ExecutionSpace, typename View::memory_space>;
  return Kokkos::View<Scalar**, typename View::array_layout, Device, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(view);
}

/// Kokkos Kernels has one handle of a device's library, on which it sets the stream of the product that it is to queue:
/// two threads must not do so at once.
inline std::unique_lock<std::mutex> lock_device_library() {
  static std::mutex mutex;
  return std::unique_lock(mutex);
}

/// The product by Kokkos Kernels, which hands it to a vendor's library where it has one.
template <class ExecutionSpace, class AView, class BView, class CView>
void library_matrix_product(const ExecutionSpace& space, Transpose transpose_a, Transpose transpose_b,
                            typename CView::non_const_value_type alpha, const AView& a, const BView& b,
                            typename CView::non_const_value_type beta, const CView& c) {
  using Scalar = typename CView::non_const_value_type;
  const auto a_operand = as_operand<ExecutionSpace, const Scalar>(a);
  const auto b_operand = as_operand<ExecutionSpace, const Scalar>(b);
  const auto c_operand = as_operand<ExecutionSpace, Scalar>(c);
  const auto lock = runs_on_host<ExecutionSpace> ? std::unique_lock<std::mutex>() : lock_device_library();
  if (transpose_a == Transpose::no && transpose_b == Transpose::no && c.extent(1) == 1) {
    // Kokkos Kernels takes the one column of B and of C to be contiguous, which in a range of columns it is not.
    KokkosBlas::gemv(space, "N", alpha, a_operand, Kokkos::subview(b_operand, Kokkos::ALL, 0), beta,
                     Kokkos::subview(c_operand, Kokkos::ALL, 0));
    return;
  }
  KokkosBlas::gemm(space, transpose_a == Transpose::yes ? "T" : "N", transpose_b == Transpose::yes ? "T" : "N", alpha,
                   a_operand, b_operand, beta, c_operand);
}

/// C = alpha op(A) op(B) + beta S, with op(A) of m x k, op(B) of k x n, C and S of m x n. Asynchronous on `space`.
///
/// On hosts each thread calls oneDNN or BLAS for a piece of C; on CUDA cuBLASLt multiplies bfloat16, into bfloat16 or
/// float; elsewhere Kokkos Kernels calls the vendor's library. Small products (small_product_limit) are summed in
/// double, and on hosts all products of bfloat16, which no library there takes. beta = 0 overwrites C whatever S holds,
/// NaN included. S may be C. Rows may be strided (row and column ranges of a row-major matrix). Throws ExtentError when
/// the extents do not fit together.
template <class ExecutionSpace, class AView, class BView, class SView, class CView>
void matrix_product(const ExecutionSpace& space, Transpose transpose_a, Transpose transpose_b, RealOf<CView> alpha,
                    const AView& a, const BView& b, RealOf<CView> beta, const SView& source, const CView& c) {
  static_assert(are_inputs<ExecutionSpace, AView, BView, SView>() && are_outputs<ExecutionSpace, CView>());
  static_assert(AView::rank() == 2 && BView::rank() == 2 && SView::rank() == 2 && CView::rank() == 2,
                "Sward::matrix_product: A, B, S and C must be matrices");
  using Scalar = typename CView::non_const_value_type;
  using Factor = typename AView::non_const_value_type;
  static_assert(std::is_same_v<typename BView::non_const_value_type, Factor> &&
                    std::is_same_v<typename SView::non_const_value_type, Scalar> &&
                    (std::is_same_v<Factor, Scalar> || std::is_same_v<Factor, BFloat16>),
                "Sward::matrix_product: A and B must be of one type, and C and S of that type too, unless it is "
                "BFloat16");
  const bool a_is_transposed = transpose_a == Transpose::yes;
  const bool b_is_transposed = transpose_b == Transpose::yes;
  const std::size_t inner = a.extent(a_is_transposed ? 0 : 1);
  require_extents("Sward::matrix_product", "op(B)",
                  {b.extent(b_is_transposed ? 1 : 0), b.extent(b_is_transposed ? 0 : 1)}, {inner, c.extent(1)});
  require_extents("Sward::matrix_product", "C", {c.extent(0), c.extent(1)},
                  {a.extent(a_is_transposed ? 1 : 0), c.extent(1)});
  require_extents("Sward::matrix_product", "S", {source.extent(0), source.extent(1)}, {c.extent(0), c.extent(1)});
  if (c.extent(0) == 0 || c.extent(1) == 0) return;
  if constexpr (uses_cublaslt<ExecutionSpace, AView, BView, SView, CView>) {
    if (inner > 0) return device_matrix_product(space, transpose_a, transpose_b, alpha, a, b, beta, source, c);
  }
  if (beta != 0 && source.data() != c.data()) copy(space, source, c);
  if (inner == 0) {
    // Kokkos Kernels would scale C on the default instance here, and multiply a NaN by zero.
    if (beta == 0) return fill(space, c, Scalar(0.0F));
    return scale(space, c, Scalar(beta));
  }
  constexpr bool is_two_bytes = std::is_same_v<Factor, BFloat16>;
  if (is_two_bytes || (sizeof(Scalar) < sizeof(double) && c.extent(0) * c.extent(1) * inner <= small_product_limit)) {
    small_matrix_product(space, transpose_a, transpose_b, static_cast<double>(alpha), a, b, static_cast<double>(beta),
                         c);
    return;
  }
  if constexpr (!is_two_bytes) {
#ifdef KOKKOSKERNELS_ENABLE_TPL_BLAS
    if constexpr (uses_host_blas<ExecutionSpace, AView, BView, CView>)
      return host_matrix_product(space, transpose_a, transpose_b, alpha, a, b, beta, c);
#endif
    library_matrix_product(space, transpose_a, transpose_b, alpha, a, b, beta, c);
  }
}

/// C = alpha op(A) op(B) + beta C.
template <class ExecutionSpace, class AView, class BView, class CView>
void matrix_product(const ExecutionSpace& space, Transpose transpose_a, Transpose transpose_b, RealOf<CView> alpha,
                    const AView& a, const BView& b, RealOf<CView> beta, const CView& c) {
  matrix_product(space, transpose_a, transpose_b, alpha, a, b, beta, c, c);
}

}  // namespace Sward
