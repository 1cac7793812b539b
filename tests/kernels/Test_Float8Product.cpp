#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "Sward_AllClose.hpp"
#include "Sward_Float8Product.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

/// By cuBLASLt on CUDA, by the portable kernel on hosts.
template <class Space>
class Float8Product : public ::testing::Test {};
TYPED_TEST_SUITE(Float8Product, TestSpaces);

template <class Space>
using Quantized = Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>>;

/// Random numbers in 8 bits, rows of different magnitudes.
template <class Space>
Quantized<Space> random_quantized(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  UniformNumbers next(seed, -1, 1);
  const auto values = make_matrix<float, Space>(
      rows, columns, [&](std::size_t i, std::size_t) { return next() * std::exp2(static_cast<double>(i % 6)); });
  const Quantized<Space> result{poisoned_matrix<Float8, Space>(rows, columns), poisoned_vector<float, Space>(rows)};
  quantize_rows(Space(), values, result);
  return result;
}

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

/// Hosts round once, to bfloat16. Tensor cores add products to a sum 32 at a time and keep 13 bits behind the leading
/// one of the largest among them, which is no larger than the sum of absolute values: each time 2^-13 of it may go.
template <class Space>
double allowed(double magnitude, std::size_t k, double value) {
  const double of_sums = is_cuda<Space>() ? static_cast<double>(k / 32 + 1) * 0x1p-13 * magnitude : 0.0;
  return 0x1p-8 * std::abs(value) + of_sums;
}

template <class Space>
void agrees_with_definition(std::size_t m, std::size_t n, std::size_t k, float beta, bool in_place) {
  const auto a = random_quantized<Space>(m, k, 1);
  const auto b = random_quantized<Space>(n, k, 2);
  const auto source = random_matrix<BFloat16, Space>(m, n, 3, -9, 9);
  const auto host_s = to_host(source);
  const auto target = in_place ? source : poisoned_matrix<BFloat16, Space>(m, n);
  const std::uint64_t before = products_by_cublaslt();
  float8_product(Space(), a, b, beta, source, target);
  EXPECT_EQ(products_by_cublaslt() - before, is_cuda<Space>() ? 1U : 0U);
  const auto a_codes = to_host(a.codes), b_codes = to_host(b.codes);
  const auto a_scale = to_host(a.scale), b_scale = to_host(b.scale);
  const auto result = to_host(target);
  double worst = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      double magnitude = 0;
      for (std::size_t l = 0; l < k; ++l) {
        const double term = static_cast<double>(static_cast<float>(a_codes(i, l)) * static_cast<float>(b_codes(j, l)));
        sum += term;
        magnitude += std::abs(term);
      }
      const double scale = static_cast<double>(a_scale(i)) * static_cast<double>(b_scale(j));
      const double added = beta == 0 ? 0.0 : static_cast<double>(beta) * static_cast<double>(host_s(i, j));
      const double error = std::abs(static_cast<double>(result(i, j)) - (scale * sum + added));
      const double limit = allowed<Space>(scale * magnitude + std::abs(added), k, scale * sum + added);
      if (!(error <= worst * limit)) worst = error / limit;
    }
  }
  EXPECT_LE(worst, 1.0) << "m n k " << extents_text({m, n, k}) << ", beta " << beta;
}

TYPED_TEST(Float8Product, AgreesWithDefinition) {
  for (const auto& [m, n, k] : {std::tuple{1, 16, 16}, {7, 48, 32}, {64, 32, 144}, {33, 80, 1040}, {16, 32, 11008}}) {
    const auto rows = static_cast<std::size_t>(m), columns = static_cast<std::size_t>(n);
    const auto inner = static_cast<std::size_t>(k);
    agrees_with_definition<TypeParam>(rows, columns, inner, 0, false);
    agrees_with_definition<TypeParam>(rows, columns, inner, 1, false);
    agrees_with_definition<TypeParam>(rows, columns, inner, -0.5F, true);
  }
}

TYPED_TEST(Float8Product, OfARowThatIsNotFiniteIsNot) {
  const std::size_t m = 5, n = 32, k = 48;
  const auto values = make_matrix<BFloat16, TypeParam>(m, k, [](std::size_t i, std::size_t j) {
    return i == 2 && j == 7 ? std::numeric_limits<float>::infinity() : i == 4 && j == 0 ? std::nanf("") : 1.0F;
  });
  const Quantized<TypeParam> a{poisoned_matrix<Float8, TypeParam>(m, k), poisoned_vector<float, TypeParam>(m)};
  quantize_rows(TypeParam(), values, a);
  const auto b = random_quantized<TypeParam>(n, k, 2);
  const auto c = random_matrix<BFloat16, TypeParam>(m, n, 3);
  float8_product(TypeParam(), a, b, 0, c, c);
  const auto result = to_host(c);
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j)
      EXPECT_EQ(std::isnan(static_cast<float>(result(i, j))), i == 2 || i == 4) << i << ", " << j;
}

TYPED_TEST(Float8Product, WithoutTermsKeepsTheSource) {
  const auto source = random_matrix<BFloat16, TypeParam>(3, 16, 3);
  const auto target = poisoned_matrix<BFloat16, TypeParam>(3, 16);
  float8_product(TypeParam(), random_quantized<TypeParam>(3, 0, 1), random_quantized<TypeParam>(16, 0, 2), 1, source,
                 target);
  EXPECT_TRUE(all_close(target, source, 0, 0));
}

TYPED_TEST(Float8Product, RefusesExtentsThatDoNotFit) {
  const auto c = random_matrix<BFloat16, TypeParam>(4, 32, 3);
  const auto a = random_quantized<TypeParam>(4, 48, 1);
  const auto b = random_quantized<TypeParam>(32, 48, 2);
  EXPECT_NO_THROW(float8_product(TypeParam(), a, b, 0, c, c));
  EXPECT_THROW(float8_product(TypeParam(), random_quantized<TypeParam>(5, 48, 1), b, 0, c, c), ExtentError);
  EXPECT_THROW(float8_product(TypeParam(), a, random_quantized<TypeParam>(32, 32, 2), 0, c, c), ExtentError);
  EXPECT_THROW(float8_product(TypeParam(), a, random_quantized<TypeParam>(16, 48, 2), 0, c, c), ExtentError);
  const auto odd = random_matrix<BFloat16, TypeParam>(4, 31, 3);
  EXPECT_THROW(float8_product(TypeParam(), a, random_quantized<TypeParam>(31, 48, 2), 0, odd, odd), ExtentError);
}

}  // namespace
