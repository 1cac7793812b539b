#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::uint32_t patterns = 65536;

double value_of(BFloat16 number) { return static_cast<double>(static_cast<float>(number)); }

/// The distance of the multiples of which the numbers near `value` are: 8 bits from the first one on, or 2^-133.
double spacing(double value) { return std::exp2(std::max(std::ilogb(value), -126) - 7); }

/// The nearest number with 8 bits, ties to the even multiple, in double arithmetic.
double nearest(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double unit = spacing(value);
  const double rounded = std::nearbyint(value / unit) * unit;
  return std::abs(rounded) >= 0x1p128 ? std::copysign(HUGE_VAL, value) : rounded;
}

/// Floats around all numbers of two bytes: on them, in the middle of two, and on either side of both.
template <class Check>
void for_floats_around_all_patterns(const Check& check) {
  for (std::uint32_t upper = 0; upper < patterns; ++upper)
    for (const std::uint32_t lower : {0x0000U, 0x0001U, 0x4321U, 0x7fffU, 0x8000U, 0x8001U, 0xc000U, 0xffffU}) {
      check(std::bit_cast<float>(upper << 16 | lower));
      if (::testing::Test::HasFatalFailure()) return;
    }
}

TEST(BFloat16, EveryPatternSurvivesTheWayThroughFloat) {
  for (std::uint32_t pattern = 0; pattern < patterns; ++pattern) {
    const auto bits = static_cast<std::uint16_t>(pattern);
    const BFloat16 number = BFloat16::from_bits(bits);
    const auto value = static_cast<float>(number);
    ASSERT_EQ(number.bits(), bits);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(value), pattern << 16);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(static_cast<float>(BFloat16(value)))) << pattern;
    } else {
      ASSERT_EQ(BFloat16(value).bits(), bits);
      ASSERT_EQ(BFloat16(static_cast<double>(value)).bits(), bits);
    }
  }
}

TEST(BFloat16, RoundsToTheNearest) {
  for_floats_around_all_patterns([](float value) {
    const BFloat16 rounded(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(static_cast<float>(rounded)));
      return;
    }
    ASSERT_EQ(value_of(rounded), nearest(static_cast<double>(value))) << value;
    ASSERT_EQ(std::signbit(static_cast<float>(rounded)), std::signbit(value)) << value;
  });
}

TEST(BFloat16, BreaksTiesToTheEvenBit) {
  const auto rounded = [](std::uint32_t bits) { return BFloat16(std::bit_cast<float>(bits)).bits(); };
  EXPECT_EQ(rounded(0x3f808000U), 0x3f80U);
  EXPECT_EQ(rounded(0x3f818000U), 0x3f82U);
  EXPECT_EQ(rounded(0xbf818000U), 0xbf82U);
  EXPECT_EQ(rounded(0x3fff8000U), 0x4000U);  // carries into the exponent
  EXPECT_EQ(rounded(0x00008000U), 0x0000U);  // half of the smallest
  EXPECT_EQ(rounded(0x00018000U), 0x0002U);
  EXPECT_EQ(rounded(0x007f8000U), 0x0080U);  // to the first normal number
  EXPECT_EQ(rounded(0x7f7f7fffU), 0x7f7fU);
  EXPECT_EQ(rounded(0x7f7f8000U), 0x7f80U);  // to infinity
  EXPECT_EQ(rounded(0xff7fffffU), 0xff80U);
}

TEST(BFloat16, RoundsADoubleOnce) {
  // Next to a tie a double may lie so near that a float would be on it.
  for_floats_around_all_patterns([](float value) {
    if (!std::isfinite(value)) return;
    const auto exact = static_cast<double>(value);
    for (const double near : {exact, std::nextafter(exact, HUGE_VAL), std::nextafter(exact, -HUGE_VAL)})
      ASSERT_EQ(value_of(BFloat16(near)), nearest(near)) << near;
  });
  EXPECT_EQ(value_of(BFloat16(1e300)), HUGE_VAL);
  EXPECT_EQ(value_of(BFloat16(-HUGE_VAL)), -HUGE_VAL);
  EXPECT_EQ(BFloat16(-1e-300).bits(), 0x8000U);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::numeric_limits<double>::quiet_NaN()))));
}

TEST(BFloat16, NotANumberNeverBecomesInfinity) {
  for (const std::uint32_t bits : {0x7f800001U, 0xff800001U, 0x7fc00000U, 0x7fffffffU, 0xffffffffU}) {
    const auto value = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(value)))) << bits;
    for (const std::uint32_t random : {0U, 0x8000U, 0xffffU})
      EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16::stochastic(value, random)))) << bits;
  }
}

TEST(BFloat16Stochastic, LeavesExactValuesWhateverTheBits) {
  for (std::uint32_t pattern = 0; pattern < patterns; ++pattern) {
    const auto value = std::bit_cast<float>(pattern << 16);
    if (std::isnan(value)) continue;
    for (const std::uint32_t random : {0U, 1U, 0x7fffU, 0x8000U, 0xffffU, 0xffffffffU})
      ASSERT_EQ(BFloat16::stochastic(value, random).bits(), pattern) << random;
  }
  EXPECT_EQ(value_of(BFloat16::stochastic(infinity, 0xffffU)), HUGE_VAL);
}

TEST(BFloat16Stochastic, TakesBothNeighboursSoOftenThatTheMeanIsExact) {
  const std::vector<float> values = {1.001F, -1.001F, 3.14159265F, -2.71828183e-5F, 1.99999988F, -65536.5F, 1e30F,
                                     // between 0 and the smallest, among the denormal numbers, and above them
                                     1e-45F, -5e-41F, 1.3e-39F, -1.17549421e-38F, 1.2e-38F};
  for (const float value : values) {
    const auto exact = static_cast<double>(value);
    const double unit = spacing(exact);
    const double lower = std::floor(exact / unit) * unit;
    const double upper = lower + unit;
    double sum = 0;  // in units, of which 65536 times 256 are still exact
    std::uint32_t taken_up = 0;
    for (std::uint32_t random = 0; random < patterns; ++random) {
      const BFloat16 rounded = BFloat16::stochastic(value, random);
      const double result = value_of(rounded);
      ASSERT_TRUE(result == lower || result == upper) << value << ", " << random;
      ASSERT_EQ(BFloat16::stochastic(value, random | 0xabcd0000U).bits(), rounded.bits());  // 16 bits count
      sum += result / unit;
      taken_up += result == upper ? 1 : 0;
    }
    EXPECT_EQ(sum * unit / patterns, exact);
    EXPECT_EQ(taken_up, (exact - lower) / unit * patterns) << value;
    EXPECT_GT(taken_up, 0U) << value;
    EXPECT_LT(taken_up, patterns) << value;
  }
}

template <class Space>
class BFloat16Conversions : public ::testing::Test {};
TYPED_TEST_SUITE(BFloat16Conversions, TestSpaces);

/// Rounds, rounds with random bits and widens on a space.
template <class Space, class Values, class Results>
void convert(const Values& values, const Results& nearest_bits, const Results& random_bits, const Results& widened) {
  Kokkos::parallel_for(
      "convert", Kokkos::RangePolicy<Space>(0, values.extent(0)), KOKKOS_LAMBDA(const std::size_t i) {
        const BFloat16 rounded(values(i));
        nearest_bits(i) = rounded.bits();
        random_bits(i) = BFloat16::stochastic(values(i), static_cast<std::uint32_t>(i) * 2654435761U).bits();
        widened(i) = Kokkos::bit_cast<std::uint32_t>(static_cast<float>(rounded));
      });
}

TYPED_TEST(BFloat16Conversions, GiveTheSameBitsOnEverySpace) {
  const std::size_t count = 100000;
  const auto values = make_vector<float, TypeParam>(
      count, [](std::size_t i) { return std::bit_cast<float>(static_cast<std::uint32_t>(i) * 42949U); });
  using Bits = Vector<std::uint32_t, TypeParam>;
  const Bits nearest_bits("nearest_bits", count), random_bits("random_bits", count), widened("widened", count);
  convert<TypeParam>(values, nearest_bits, random_bits, widened);
  const auto host_nearest = to_host(nearest_bits), host_random = to_host(random_bits), host_widened = to_host(widened);
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(i) * 42949U);
    ASSERT_EQ(host_nearest(i), BFloat16(value).bits());
    ASSERT_EQ(host_random(i), BFloat16::stochastic(value, static_cast<std::uint32_t>(i) * 2654435761U).bits());
    ASSERT_EQ(host_widened(i), static_cast<std::uint32_t>(BFloat16(value).bits()) << 16);
  }
}

}  // namespace
