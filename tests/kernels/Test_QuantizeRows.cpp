#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "Sward_QuantizeRows.hpp"
#include "Sward_QuantizedViews.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class QuantizeRows : public ::testing::Test {};
TYPED_TEST_SUITE(QuantizeRows, TestSpaces);

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
    bool is_finite = true;
    for (std::size_t j = 0; j < x.extent(1); ++j) {
      const double magnitude = std::abs(static_cast<double>(x(i, j)) * factor_of(j));
      is_finite = is_finite && std::isfinite(magnitude);
      largest = std::max(largest, magnitude);
    }
    if (!is_finite) {
      EXPECT_TRUE(std::isnan(scale(i))) << "row " << i;
      for (std::size_t j = 0; j < x.extent(1); ++j) wrong += std::isnan(static_cast<float>(codes(i, j))) ? 0 : 1;
      continue;
    }
    const double wanted = largest == 0 ? 1.0 : std::max(0x1p-120, std::exp2(std::ceil(std::log2(largest / 448))));
    EXPECT_EQ(static_cast<double>(scale(i)), wanted) << "row " << i;
    for (std::size_t j = 0; j < x.extent(1); ++j) {
      const double value = static_cast<double>(static_cast<float>(codes(i, j))) * static_cast<double>(scale(i));
      const double product = static_cast<double>(x(i, j)) * factor_of(j);
      wrong += value == nearest(product, wanted) && std::signbit(value) == std::signbit(product) ? 0 : 1;
    }
  }
  EXPECT_EQ(wrong, 0U) << x.extent(0) << " x " << x.extent(1);
}

/// Rows of numbers 2^30 apart, the second of zeros, the third with an infinity and the fourth with a NaN at its end,
/// the fifth of numbers that are not normal or hardly.
template <class Space>
Matrix<BFloat16, Space> varied_matrix(std::size_t rows, std::size_t columns) {
  UniformNumbers next(2, -1, 1);
  return make_matrix<BFloat16, Space>(rows, columns, [&](std::size_t i, std::size_t j) -> double {
    if (i == 1) return 0;
    if (i == 2 && j + 1 == columns) return -std::numeric_limits<double>::infinity();
    if (i == 3 && j + 1 == columns) return std::numeric_limits<double>::quiet_NaN();
    const double exponent = i == 4 ? -124 + 6 * next() : 4.0 * static_cast<double>(i) + 15 * next();
    return next() * std::exp2(std::floor(exponent));
  });
}

double varied_factor(std::size_t j) { return j % 11 == 3 ? 0 : std::exp2(static_cast<double>(j % 13) - 9); }

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

// At the ends of what each kernel takes on GPUs.
TYPED_TEST(QuantizeRows, TakesRowsOfAnyLength) {
  for (const std::size_t columns : {16, 512, 520, 2048, 2056, 6144, 6152, 12288, 12296, 24576, 24584}) {
    const std::size_t rows = columns > 2048 ? 6 : 13;
    const auto input = varied_matrix<TypeParam>(rows, columns);
    const auto output = poisoned_quantized<TypeParam>(rows, columns);
    quantize_rows(TypeParam(), input, output);
    expect_definition(
        input, [](std::size_t) { return 1.0; }, output);
    const auto multiplied = poisoned_quantized<TypeParam>(rows, columns);
    quantize_rows(TypeParam(), input, make_vector<float, TypeParam>(columns, varied_factor), multiplied);
    expect_definition(input, varied_factor, multiplied);
  }
}

/// All bfloat16 below 2^-111, times 2^-6: products that are no bfloat16, next to ties between codes. Rows end with
/// larger and larger numbers.
template <class Space>
Matrix<BFloat16, Space> least_numbers(std::size_t rows, std::size_t columns) {
  return make_matrix<BFloat16, Space>(rows, columns, [&](std::size_t i, std::size_t j) {
    const auto number = static_cast<float>(BFloat16::from_bits(static_cast<std::uint16_t>(j)));
    return j < 2048 ? (j % 3 == 1 ? -number : number) : std::exp2(2.0F * static_cast<float>(i) - 110);
  });
}

double one_64th(std::size_t) { return 0x1p-6; }

TYPED_TEST(QuantizeRows, RoundsSmallProductsOnce) {
  for (const std::size_t columns : {2048, 2056}) {
    const auto input = least_numbers<TypeParam>(9, columns);
    const auto output = poisoned_quantized<TypeParam>(9, columns);
    quantize_rows(TypeParam(), input, make_vector<float, TypeParam>(columns, one_64th), output);
    expect_definition(input, one_64th, output);
  }
}

template <int N, int count, int sharing, class Input, class Factors>
void expect_codes_of_two_passes(const Input& input, const Factors& factors) {
  using Space = typename Input::execution_space;
  const std::size_t rows = input.extent(0), columns = input.extent(1);
  const auto passes = poisoned_quantized<Space>(rows, columns), held = poisoned_quantized<Space>(rows, columns);
  quantize_rows_in_two_passes(Space(), input, factors, passes);
  quantize_rows_in_registers<N, count, sharing>(Space(), input, factors, held);
  expect_same_codes(held, passes);
}

template <class Space, int count, int sharing>
void holds_rows_in_registers() {
  constexpr std::size_t most = std::size_t{count} * RowTeams<Space, sharing, 8, 1024>::step;
  for (const std::size_t columns : {std::size_t{8}, most - 8, most}) {
    const auto input = varied_matrix<Space>(13, columns);
    expect_codes_of_two_passes<8, count, sharing>(input, NoFactors());
    expect_codes_of_two_passes<8, count, sharing>(input, make_vector<float, Space>(columns, varied_factor));
    const auto floats = uneven_matrix<float, Space>(13, columns / 2);
    expect_codes_of_two_passes<4, count, sharing>(floats, NoFactors());
    expect_codes_of_two_passes<4, count, sharing>(floats, make_vector<float, Space>(columns / 2, varied_factor));
  }
}

TYPED_TEST(QuantizeRows, HoldsRowsInRegisters) {
  holds_rows_in_registers<TypeParam, 2, 1>();
  holds_rows_in_registers<TypeParam, 6, 4>();
}

TYPED_TEST(QuantizeRows, KeepsSmallProductsForTheirCodes) {
  constexpr int count = runs_on_host<TypeParam> ? 257 : 3;
  const auto input = least_numbers<TypeParam>(9, 2056);
  expect_codes_of_two_passes<8, count, 4>(input, make_vector<float, TypeParam>(2056, one_64th));
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
