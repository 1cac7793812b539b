#pragma once

#include <KokkosKernels_config.h>
#ifdef SWARD_WITH_ONEDNN
#include <dnnl.h>
#endif

#include <KokkosBlas_Host_tpl.hpp>
#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "Sward_SmallMatrixProduct.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

#ifdef KOKKOSKERNELS_ENABLE_TPL_BLAS
inline constexpr bool has_host_blas = true;
#else
inline constexpr bool has_host_blas = false;
#endif
#ifdef SWARD_WITH_ONEDNN
inline constexpr bool has_onednn = true;
#else
inline constexpr bool has_onednn = false;
#endif

template <class View, class Scalar>
inline constexpr bool is_row_major = std::is_same_v<typename View::array_layout, Kokkos::LayoutRight>&&
    std::is_same_v<typename View::non_const_value_type, Scalar>;

/// Whether the host's BLAS can multiply these views: row-major floats or doubles in host memory.
template <class ExecutionSpace, class AView, class BView, class CView>
inline constexpr bool uses_host_blas = [] {
  using Scalar = typename CView::non_const_value_type;
  return has_host_blas && runs_on_host<ExecutionSpace> &&
         (std::is_same_v<Scalar, float> || std::is_same_v<Scalar, double>)&&is_row_major<AView, Scalar> &&
         is_row_major<BView, Scalar> && is_row_major<CView, Scalar>;
}();

/// How a product's result is cut: rows x columns pieces.
struct ProductGrid {
  int rows;
  int columns;
};

/// The grid of `threads` pieces of an m x n result whose pieces are nearest to squares.
inline ProductGrid product_grid(int threads, int m, int n) {
  ProductGrid best{1, threads};
  double least = static_cast<double>(m) + static_cast<double>(n) / threads;
  for (int rows = 2; rows <= threads; ++rows) {
    if (threads % rows != 0) continue;
    const double edges = static_cast<double>(m) / rows + static_cast<double>(n) * rows / threads;
    if (edges < least) best = {rows, threads / rows};
    least = std::min(least, edges);
  }
  return best;
}

/// Piece `index` of [0, extent) cut into `count` pieces, all but the last of whole registers of any machine.
struct ProductRange {
  int begin;
  int size;
  ProductRange(int extent, int count, int index) {
    constexpr int width = 16;
    const int length = (extent + count * width - 1) / (count * width) * width;
    begin = std::min(extent, index * length);
    size = std::min(extent, begin + length) - begin;
  }
};

#ifdef KOKKOSKERNELS_ENABLE_TPL_BLAS
/// C = alpha op(A) op(B) + beta C for row-major matrices with the given distances between rows, on the calling thread:
/// by oneDNN in float, where it is there, and by the BLAS that Kokkos Kernels was built with.
template <class Scalar>
void host_gemm(char op_a, char op_b, int m, int n, int k, Scalar alpha, const Scalar* a, int a_stride, const Scalar* b,
               int b_stride, Scalar beta, Scalar* c, int c_stride) {
#ifdef SWARD_WITH_ONEDNN
  if constexpr (std::is_same_v<Scalar, float>) {
    if (dnnl_sgemm(op_a, op_b, m, n, k, alpha, a, a_stride, b, b_stride, beta, c, c_stride) != dnnl_success)
      Kokkos::abort("Sward::matrix_product: oneDNN's product failed");
    return;
  }
#endif
  // BLAS reads row-major matrices as their transposes, so it computes Cᵀ = op(B)ᵀ op(A)ᵀ.
  KokkosBlas::Impl::HostBlas<Scalar>::gemm(op_b, op_a, n, m, k, alpha, b, b_stride, a, a_stride, beta, c, c_stride);
}

/// C = alpha op(A) op(B) + beta C: each thread of the instance computes a piece of C with the host's library. The
/// library's own threads would meet after every block of the sum, which costs 10% at the sizes of a layer and half at
/// the narrow products of compressed gradients. A library that uses OpenMP, or no threads, takes one
/// thread inside a thread.
template <class ExecutionSpace, class AView, class BView, class CView>
void host_matrix_product(const ExecutionSpace& space, Transpose transpose_a, Transpose transpose_b,
                         typename CView::non_const_value_type alpha, const AView& a, const BView& b,
                         typename CView::non_const_value_type beta, const CView& c) {
  using Scalar = typename CView::non_const_value_type;
  const bool a_is_transposed = transpose_a == Transpose::yes;
  const bool b_is_transposed = transpose_b == Transpose::yes;
  const int m = static_cast<int>(c.extent(0));
  const int n = static_cast<int>(c.extent(1));
  const int k = static_cast<int>(a.extent(a_is_transposed ? 0 : 1));
  const auto stride = [](const auto& view) { return std::max(1, static_cast<int>(view.stride(0))); };
  const int a_stride = stride(a);
  const int b_stride = stride(b);
  const int c_stride = stride(c);
  const ProductGrid grid = product_grid(space.concurrency(), m, n);
  using Policy = Kokkos::RangePolicy<ExecutionSpace, Kokkos::Schedule<Kokkos::Static>>;
  Kokkos::parallel_for(
      "Sward::matrix_product", Policy(space, 0, grid.rows * grid.columns, Kokkos::ChunkSize(1)), [=](const int piece) {
        const ProductRange rows(m, grid.rows, piece / grid.columns);
        const ProductRange columns(n, grid.columns, piece % grid.columns);
        if (rows.size == 0 || columns.size == 0) return;
        const std::ptrdiff_t a_row = a_is_transposed ? 1 : a_stride;
        const std::ptrdiff_t b_column = b_is_transposed ? b_stride : 1;
        const Scalar* const left = a.data() + rows.begin * a_row;
        const Scalar* const right = b.data() + columns.begin * b_column;
        Scalar* const result = c.data() + static_cast<std::ptrdiff_t>(rows.begin) * c_stride + columns.begin;
        host_gemm(a_is_transposed ? 'T' : 'N', b_is_transposed ? 'T' : 'N', rows.size, columns.size, k, alpha, left,
                  a_stride, right, b_stride, beta, result, c_stride);
      });
}
#endif

}  // namespace Sward
