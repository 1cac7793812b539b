#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "Sward_AllClose.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class QuantizeRows : public ::testing::Test {};
TYPED_TEST_SUITE(QuantizeRows, TestSpaces);

template <class Space>
using Quantized = Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>>;

template <class Space>
Quantized<Space> poisoned_quantized(std::size_t rows, std::size_t columns) {
  return {poisoned_matrix<Float8, Space>(rows, columns), poisoned_vector<float, Space>(rows)};
}

/// Rows of different magnitudes, the second of zeros, with elements that are much smaller than others.
template <class Scalar, class Space>
Matrix<Scalar, Space> uneven_matrix(std::size_t rows, std::size_t columns) {
  UniformNumbers next(1, -1, 1);
  return make_matrix<Scalar, Space>(rows, columns, [&](std::size_t i, std::size_t j) {
    const double size = i == 1 ? 0.0 : std::exp2(7.0 * static_cast<double>(i % 9) - 30);
    return next() * size * (j % 5 == 0 ? 1e-3 : 1.0);
  });
}

/// The nearest of all multiples of the scale that there are, of two the one with the even code.
double nearest(double value, double scale) {
  double best = 0;
  double least = std::abs(value);
  for (int code = 1; code < 0x7f; ++code) {
    const auto step = static_cast<double>(static_cast<float>(Float8::from_bits(static_cast<std::uint8_t>(code))));
    const double distance = std::abs(std::abs(value) - step * scale);
    if (distance < least || (distance == least && code % 2 == 0)) {
      least = distance;
      best = step * scale;
    }
  }
  return std::copysign(best, value);
}

template <class Input, class Factors, class Output>
void expect_definition(const Input& input, const Factors& factor_of, const Output& output) {
  const auto x = to_host(input);
  const auto codes = to_host(output.codes);
  const auto scale = to_host(output.scale);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < x.extent(0); ++i) {
    double largest = 0;
    for (std::size_t j = 0; j < x.extent(1); ++j)
      largest = std::max(largest, std::abs(static_cast<double>(x(i, j)) * factor_of(j)));
    const double wanted = largest == 0 ? 1.0 : std::exp2(std::ceil(std::log2(largest / 448)));
    EXPECT_EQ(static_cast<double>(scale(i)), wanted) << "row " << i;
    for (std::size_t j = 0; j < x.extent(1); ++j) {
      const double value = static_cast<double>(static_cast<float>(codes(i, j))) * static_cast<double>(scale(i));
      wrong += value == nearest(static_cast<double>(x(i, j)) * factor_of(j), wanted) ? 0 : 1;
    }
  }
  EXPECT_EQ(wrong, 0U) << x.extent(0) << " x " << x.extent(1);
}

constexpr std::pair<std::size_t, std::size_t> shapes[] = {{1, 1},    {3, 7},    {11, 64},  {17, 384}, {5, 1031},
                                                          {3, 2048}, {3, 5504}, {2, 9000}, {2, 25000}};

template <class Scalar, class Space>
void agrees_with_definition() {
  for (const auto& [rows, columns] : shapes) {
    const auto input = uneven_matrix<Scalar, Space>(rows, columns);
    const auto output = poisoned_quantized<Space>(rows, columns);
    quantize_rows(Space(), input, output);
    expect_definition(
        input, [](std::size_t) { return 1.0; }, output);
  }
}

TYPED_TEST(QuantizeRows, AgreesWithDefinition) {
  agrees_with_definition<BFloat16, TypeParam>();
  agrees_with_definition<float, TypeParam>();
}

TYPED_TEST(QuantizeRows, MultipliesColumnsFirst) {
  for (const auto& [rows, columns] : shapes) {
    const auto input = uneven_matrix<BFloat16, TypeParam>(rows, columns);
    const auto factor_of = [](std::size_t j) { return std::exp2(static_cast<double>(j % 7) - 12); };
    const auto factors = make_vector<float, TypeParam>(columns, factor_of);
    const auto output = poisoned_quantized<TypeParam>(rows, columns);
    quantize_rows(TypeParam(), input, factors, output);
    expect_definition(input, factor_of, output);
  }
}

TYPED_TEST(QuantizeRows, HoldsRowsInRegisters) {
  constexpr int threads = runs_on_host<TypeParam> ? 1 : 128;
  for (const std::size_t columns : {8, 2 * 8 * threads - 8, 2 * 8 * threads}) {
    const auto input = uneven_matrix<BFloat16, TypeParam>(13, columns);
    const auto passes = poisoned_quantized<TypeParam>(13, columns), held = poisoned_quantized<TypeParam>(13, columns);
    quantize_rows_in_two_passes(TypeParam(), input, NoFactors(), passes);
    quantize_rows_in_registers<8, 2>(TypeParam(), input, NoFactors(), held);
    EXPECT_TRUE(all_close(held.scale, passes.scale, 0, 0)) << columns;
    EXPECT_TRUE(all_close(held.codes, passes.codes, 0, 0)) << columns;
  }
}

TYPED_TEST(QuantizeRows, MakesARowThatIsNotFiniteNaN) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const std::size_t columns = 64;
  const auto input = make_matrix<BFloat16, TypeParam>(4, columns, [&](std::size_t i, std::size_t j) {
    if (i > 0 && j == 40) return i == 1 ? std::numeric_limits<float>::quiet_NaN() : i == 2 ? infinity : -infinity;
    return 1.0F;
  });
  const auto output = poisoned_quantized<TypeParam>(4, columns);
  quantize_rows(TypeParam(), input, output);
  const auto codes = to_host(output.codes);
  const auto scale = to_host(output.scale);
  for (std::size_t i = 0; i < 4; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      EXPECT_EQ(std::isnan(static_cast<float>(codes(i, j)) * scale(i)), i > 0) << i << ", " << j;
}

TYPED_TEST(QuantizeRows, TakesNothing) {
  EXPECT_NO_THROW(
      quantize_rows(TypeParam(), random_matrix<BFloat16, TypeParam>(0, 16, 1), poisoned_quantized<TypeParam>(0, 16)));
}

TYPED_TEST(QuantizeRows, RefusesExtentsThatDoNotFit) {
  const auto input = random_matrix<BFloat16, TypeParam>(4, 16, 1);
  const Vector<float, TypeParam> factors("factors", 15), scale("scale", 3);
  EXPECT_THROW(quantize_rows(TypeParam(), input, poisoned_quantized<TypeParam>(4, 15)), ExtentError);
  EXPECT_THROW(quantize_rows(TypeParam(), input, factors, poisoned_quantized<TypeParam>(4, 16)), ExtentError);
  const Quantized<TypeParam> few_scales{Matrix<Float8, TypeParam>("codes", 4, 16), scale};
  EXPECT_THROW(quantize_rows(TypeParam(), input, few_scales), ExtentError);
}

}  // namespace
