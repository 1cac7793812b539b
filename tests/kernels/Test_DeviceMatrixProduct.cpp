#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

/// Products of bfloat16: by cuBLASLt on CUDA, by the portable kernel on hosts.
template <class Space>
class ProductOfBFloat16 : public ::testing::Test {};
TYPED_TEST_SUITE(ProductOfBFloat16, TestSpaces);

struct Shape {
  std::size_t m, n, k;
};

std::uint64_t products_by_cublaslt() {
#ifdef KOKKOS_ENABLE_CUDA
  return cublaslt_product_count();
#else
  return 0;
#endif
}

template <class Space>
constexpr bool is_cuda() {
#ifdef KOKKOS_ENABLE_CUDA
  return std::is_same_v<Space, Kokkos::Cuda>;
#else
  return false;
#endif
}

/// Rows of `columns` elements, each `padding` further than it has to be.
template <class Scalar, class Space>
auto padded(const Matrix<Scalar, Space>& storage, std::size_t columns) {
  return Kokkos::subview(storage, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, columns));
}

/// Products are exact in float, which holds 24 bits of the 16 of a product; each of k sums rounds once, and so does the
/// result (nearest in 8 bits for bfloat16). Bounded by the sum of absolute values.
template <class Result>
double allowed(double magnitude, std::size_t k, double value) {
  const double of_result = std::is_same_v<Result, BFloat16> ? 0x1p-8 * std::abs(value) : 0.0;
  return static_cast<double>(k + 2) * 0x1p-24 * magnitude + of_result;
}

template <class Result, class Space>
void agrees_with_definition(const Shape& shape, Transpose ta, Transpose tb, float alpha, float beta, bool in_place,
                            std::size_t padding) {
  const bool a_is_transposed = ta == Transpose::yes;
  const bool b_is_transposed = tb == Transpose::yes;
  const std::size_t a_columns = a_is_transposed ? shape.m : shape.k;
  const std::size_t b_columns = b_is_transposed ? shape.k : shape.n;
  const auto a_storage = random_matrix<BFloat16, Space>(a_is_transposed ? shape.k : shape.m, a_columns + padding, 1);
  const auto b_storage = random_matrix<BFloat16, Space>(b_is_transposed ? shape.n : shape.k, b_columns + padding, 2);
  const auto s_storage = random_matrix<Result, Space>(shape.m, shape.n + padding, 3);
  const auto c_storage = poisoned_matrix<Result, Space>(shape.m, shape.n + padding);
  const auto a = padded(a_storage, a_columns);
  const auto b = padded(b_storage, b_columns);
  const auto source = padded(s_storage, shape.n);
  const auto target = in_place ? source : padded(c_storage, shape.n);
  const auto host_a = to_host(a_storage);
  const auto host_b = to_host(b_storage);
  const auto host_s = to_host(s_storage);

  const std::uint64_t before = products_by_cublaslt();
  matrix_product(Space(), ta, tb, alpha, a, b, beta, source, target);
  EXPECT_EQ(products_by_cublaslt() - before, is_cuda<Space>() ? 1U : 0U);

  const auto host_c = to_host(in_place ? s_storage : c_storage);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < shape.m; ++i) {
    for (std::size_t j = 0; j < shape.n; ++j) {
      double sum = 0.0;
      double magnitude = 0.0;
      for (std::size_t l = 0; l < shape.k; ++l) {
        const double left = a_is_transposed ? host_a(l, i) : host_a(i, l);
        const double right = b_is_transposed ? host_b(j, l) : host_b(l, j);
        sum += static_cast<double>(alpha) * left * right;
        magnitude += std::abs(static_cast<double>(alpha) * left * right);
      }
      if (beta != 0) sum += static_cast<double>(beta) * static_cast<double>(host_s(i, j));
      magnitude += std::abs(static_cast<double>(beta) * static_cast<double>(host_s(i, j)));
      const double error = std::abs(static_cast<double>(host_c(i, j)) - sum);
      wrong += error <= allowed<Result>(magnitude, shape.k, sum) ? 0 : 1;
    }
    if constexpr (std::is_same_v<Result, BFloat16>) {
      for (std::size_t j = shape.n; j < shape.n + padding && !in_place; ++j)
        EXPECT_TRUE(std::isnan(static_cast<float>(host_c(i, j)))) << "padding was written";
    }
  }
  EXPECT_EQ(wrong, 0U) << (a_is_transposed ? "T" : "N") << (b_is_transposed ? "T" : "N") << ", m n k "
                       << extents_text({shape.m, shape.n, shape.k}) << ", padding " << padding << ", alpha " << alpha
                       << ", beta " << beta << (in_place ? ", in place" : "");
}

template <class Result, class Space>
void agrees_in_all_cases(const Shape& shape) {
  for (const Transpose ta : {Transpose::no, Transpose::yes})
    for (const Transpose tb : {Transpose::no, Transpose::yes})
      for (const std::size_t padding : {0, 3, 8}) {
        agrees_with_definition<Result, Space>(shape, ta, tb, 1, 0, false, padding);
        agrees_with_definition<Result, Space>(shape, ta, tb, 1, 1, false, padding);
        agrees_with_definition<Result, Space>(shape, ta, tb, -0.5F, 2, true, padding);
      }
}

TYPED_TEST(ProductOfBFloat16, IntoBFloat16) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{7, 33, 5}, Shape{64, 48, 128}, Shape{33, 72, 200}})
    agrees_in_all_cases<BFloat16, TypeParam>(shape);
}

TYPED_TEST(ProductOfBFloat16, IntoFloat) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{7, 33, 5}, Shape{64, 48, 128}, Shape{33, 72, 200}})
    agrees_in_all_cases<float, TypeParam>(shape);
}

TYPED_TEST(ProductOfBFloat16, WithoutTermsKeepsTheSource) {
  const auto a = random_matrix<BFloat16, TypeParam>(3, 0, 1);
  const auto b = random_matrix<BFloat16, TypeParam>(0, 5, 2);
  const auto source = random_matrix<BFloat16, TypeParam>(3, 5, 3);
  const auto target = poisoned_matrix<BFloat16, TypeParam>(3, 5);
  matrix_product(TypeParam(), Transpose::no, Transpose::no, 1, a, b, 1, source, target);
  EXPECT_TRUE(all_close(target, source, 0, 0));
}

#ifdef KOKKOS_ENABLE_CUDA
TEST(CublasLt, RestoredChoicesGiveTheSameBits) {
  const auto a = random_matrix<BFloat16, Kokkos::Cuda>(256, 512, 1);
  const auto b = random_matrix<BFloat16, Kokkos::Cuda>(512, 384, 2);
  const auto first = poisoned_matrix<float, Kokkos::Cuda>(256, 384);
  const auto second = poisoned_matrix<float, Kokkos::Cuda>(256, 384);
  matrix_product(Kokkos::Cuda(), Transpose::no, Transpose::no, 1, a, b, 0, first);
  const auto choices = cublaslt_choices();
  EXPECT_FALSE(choices.empty());
  restore_cublaslt_choices(choices);
  matrix_product(Kokkos::Cuda(), Transpose::no, Transpose::no, 1, a, b, 0, second);
  EXPECT_TRUE(all_close(first, second, 0, 0));
}

TEST(CublasLt, RefusesWhatItCannotDoWithItsOwnWords) {
  const CublasLtProduct impossible{4, 4, 4, 1, 1, 4, 4, false, false, true, false, false, 16};
  try {
    cublaslt_product(nullptr, impossible, 1, 0, {nullptr, nullptr, nullptr, nullptr});
    FAIL() << "no exception";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("cublasLt"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("4 x 4"), std::string::npos) << error.what();
  }
}
#endif

}  // namespace
