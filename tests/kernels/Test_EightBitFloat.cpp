#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "Sward_EightBitFloat.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

using FourExponentBits = EightBitFloat<113>;
using FiveExponentBits = EightBitFloat<97>;

template <class Code>
class EightBitFloats : public ::testing::Test {};
using Codes = ::testing::Types<FourExponentBits, FiveExponentBits>;
TYPED_TEST_SUITE(EightBitFloats, Codes);

/// The value of a code as binary floats are defined: fraction and exponent, the latter 0 for even spacings.
double value_of(std::uint32_t code, int lowest_power) {
  const int exponent = static_cast<int>(code >> 3);
  const double fraction = (code & 7U) / 8.0;
  return exponent == 0 ? std::ldexp(fraction, lowest_power) : std::ldexp(1 + fraction, lowest_power + exponent - 1);
}

template <class Code>
constexpr int lowest_power = Code::largest_code == 127 ? -14 : -30;

TYPED_TEST(EightBitFloats, DecodeAsBinaryFloats) {
  EXPECT_EQ(value_of(TypeParam::largest_code, lowest_power<TypeParam>), 1.875);
  for (std::uint32_t code = 0; code <= TypeParam::largest_code; ++code)
    EXPECT_EQ(static_cast<double>(TypeParam::decode(code)), value_of(code, lowest_power<TypeParam>)) << code;
}

TYPED_TEST(EightBitFloats, KeepTheirOwnValuesAtAnyDraw) {
  for (std::uint32_t code = 0; code <= TypeParam::largest_code; ++code)
    for (const std::uint32_t random : {0U, 1U, 0x7fffU, 0x8000U, 0xffffU})
      EXPECT_EQ(TypeParam::encode(TypeParam::decode(code), random), code) << random;
}

TYPED_TEST(EightBitFloats, TakeBothNeighboursSoOftenThatTheMeanIsExact) {
  constexpr double draws = 65536;
  for (const double value : {1.8, 1.01, 0.9999, 0.51, 0.3, 1e-3, 7e-5, 3e-5, 1e-5, 2e-9, 1e-9, 3e-10, 1e-10, 1e-20}) {
    std::uint32_t lower = TypeParam::largest_code;
    while (value_of(lower, lowest_power<TypeParam>) > value) --lower;
    const double below = value_of(lower, lowest_power<TypeParam>);
    const double gap = value_of(lower + 1, lowest_power<TypeParam>) - below;
    double taken_up = 0;
    for (std::uint32_t random = 0; random < 65536; ++random) {
      const std::uint32_t code = TypeParam::encode(static_cast<float>(value), random);
      ASSERT_TRUE(code == lower || code == lower + 1) << value << " became code " << code;
      taken_up += code - lower;
    }
    // Half a draw of 65,536, and the rounding of the value to a float.
    EXPECT_NEAR(taken_up / draws, (value - below) / gap, 0.5 / draws + 16 * 6e-8) << value;
  }
}

TYPED_TEST(EightBitFloats, TakeTheLargestForAllThatIsBeyond) {
  for (const float value :
       {1.875F, 1.9F, 3e38F, std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()})
    for (const std::uint32_t random : {0U, 0xffffU})
      EXPECT_EQ(TypeParam::encode(value, random), TypeParam::largest_code) << value;
}

template <class Space>
class EightBitFloatSpaces : public ::testing::Test {};
TYPED_TEST_SUITE(EightBitFloatSpaces, TestSpaces);

template <class Space, class Values, class Results>
void encode_all(const Values& values, const Results& first, const Results& second) {
  Kokkos::parallel_for(
      "encode", Kokkos::RangePolicy<Space>(0, values.extent(0)), KOKKOS_LAMBDA(const std::size_t i) {
        const auto random = static_cast<std::uint32_t>(i) * 2654435761U >> 16;
        first(i) = FourExponentBits::encode(values(i), random);
        second(i) = FiveExponentBits::encode(values(i), random);
      });
}

TYPED_TEST(EightBitFloatSpaces, GiveTheSameCodes) {
  const std::size_t count = 100000;
  const auto values = make_vector<float, TypeParam>(
      count, [](std::size_t i) { return 1.9 * std::exp2(-static_cast<double>(i) * 40 / 100000); });
  using CodeVector = Vector<std::uint32_t, TypeParam>;
  const CodeVector first("first", count), second("second", count);
  encode_all<TypeParam>(values, first, second);
  const auto host_values = to_host(values);
  const auto host_first = to_host(first), host_second = to_host(second);
  for (std::size_t i = 0; i < count; ++i) {
    const auto random = static_cast<std::uint32_t>(i) * 2654435761U >> 16;
    ASSERT_EQ(host_first(i), FourExponentBits::encode(host_values(i), random)) << host_values(i);
    ASSERT_EQ(host_second(i), FiveExponentBits::encode(host_values(i), random)) << host_values(i);
  }
}

}  // namespace
