#pragma once

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_Float8.hpp"
#include "Sward_SmallMatrixProduct.hpp"
#ifdef KOKKOS_ENABLE_CUDA
#include "Sward_CublasLt.hpp"
#endif

namespace Sward {

#ifdef KOKKOS_ENABLE_CUDA
/// Whether cuBLASLt multiplies these views: row-major bfloat16 on CUDA, into bfloat16 or float.
template <class ExecutionSpace, class AView, class BView, class SView, class CView>
inline constexpr bool uses_cublaslt = [] {
  using Result = typename CView::non_const_value_type;
  const auto is_row_major = [](auto layout) { return std::is_same_v<decltype(layout), Kokkos::LayoutRight>; };
  return std::is_same_v<ExecutionSpace, Kokkos::Cuda> &&
         std::is_same_v<typename AView::non_const_value_type, BFloat16> &&
         std::is_same_v<typename BView::non_const_value_type, BFloat16> &&
         (std::is_same_v<Result, BFloat16> ||
          std::is_same_v<Result, float>)&&std::is_same_v<typename SView::non_const_value_type, Result> &&
         is_row_major(typename AView::array_layout()) && is_row_major(typename BView::array_layout()) &&
         is_row_major(typename SView::array_layout()) && is_row_major(typename CView::array_layout());
}();

/// Whether cuBLASLt multiplies matrices in 8 bits.
template <class ExecutionSpace>
inline constexpr bool uses_cublaslt_for_float8 = std::is_same_v<ExecutionSpace, Kokkos::Cuda>;

/// The largest power of two, up to 256, that all addresses are multiples of.
template <class... View>
std::uint32_t common_alignment(const View&... views) {
  const std::uintptr_t bits = (reinterpret_cast<std::uintptr_t>(views.data()) | ...) | 256;
  return static_cast<std::uint32_t>(bits & -bits);
}

/// The kind of a product of these views; extents are those of matrix_product.
template <class AView, class BView, class SView, class CView>
CublasLtProduct describe_product(Transpose transpose_a, Transpose transpose_b, float beta, const AView& a,
                                 const BView& b, const SView& source, const CView& c) {
  const auto stride = [](const auto& view) {
    return std::max<std::int64_t>(static_cast<std::int64_t>(view.stride(0)), 1);
  };
  const bool a_is_transposed = transpose_a == Transpose::yes;
  return {static_cast<std::int64_t>(c.extent(0)),
          static_cast<std::int64_t>(c.extent(1)),
          static_cast<std::int64_t>(a.extent(a_is_transposed ? 0 : 1)),
          stride(a),
          stride(b),
          stride(source),
          stride(c),
          a_is_transposed,
          transpose_b == Transpose::yes,
          std::is_same_v<typename CView::non_const_value_type, float>,
          beta != 0.0F,
          std::is_same_v<typename AView::non_const_value_type, Float8>,
          common_alignment(a, b, source, c)};
}

/// C = alpha op(A) op(B) + beta S by cuBLASLt; extents are those of matrix_product, which checks them.
template <class AView, class BView, class SView, class CView>
void device_matrix_product(const Kokkos::Cuda& space, Transpose transpose_a, Transpose transpose_b, float alpha,
                           const AView& a, const BView& b, float beta, const SView& source, const CView& c) {
  const CublasLtProduct product = describe_product(transpose_a, transpose_b, beta, a, b, source, c);
  // What profilers and tests see; the kernel itself has cuBLASLt's name.
  const Kokkos::Profiling::ScopedRegion region("Sward::matrix_product");
  cublaslt_product(space.cuda_stream(), product, alpha, beta, {a.data(), b.data(), source.data(), c.data()});
}

/// C = A Bᵀ + beta S of 8-bit matrices by cuBLASLt; extents are those of float8_product, which checks them.
template <class A, class B, class SView, class CView>
void device_float8_product(const Kokkos::Cuda& space, const A& a, const B& b, float beta, const SView& source,
                           const CView& c) {
  const CublasLtProduct product = describe_product(Transpose::no, Transpose::yes, beta, a.codes, b.codes, source, c);
  const Kokkos::Profiling::ScopedRegion region("Sward::float8_product");
  cublaslt_product(space.cuda_stream(), product, 1.0F, beta,
                   {a.codes.data(), b.codes.data(), source.data(), c.data(), a.scale.data(), b.scale.data()});
}
#else
template <class ExecutionSpace, class AView, class BView, class SView, class CView>
inline constexpr bool uses_cublaslt = false;
template <class ExecutionSpace>
inline constexpr bool uses_cublaslt_for_float8 = false;
#endif

}  // namespace Sward
