#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "Sward_Float16.hpp"

namespace Sward::Test {
namespace {

/// The value that the bits of an IEEE half-precision number stand for, from the definition.
float half_value(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  const float sign = (bits >> 15) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return fraction != 0 ? std::numeric_limits<float>::quiet_NaN() : sign * INFINITY;
  const int whole = exponent == 0 ? fraction : 1024 + fraction;
  return sign * std::ldexp(static_cast<float>(whole), std::max(exponent, 1) - 25);
}

std::uint32_t bits_of(float value) { return std::bit_cast<std::uint32_t>(value); }

TEST(Float16, widens_every_half) {
  for (std::uint32_t i = 0; i < 65'536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const float wanted = half_value(bits);
    if (std::isnan(wanted)) {
      EXPECT_TRUE(std::isnan(widen_float16(bits))) << i;
    } else {
      EXPECT_EQ(bits_of(widen_float16(bits)), bits_of(wanted)) << i;
    }
  }
}

TEST(Float16, narrows_every_half_to_itself) {
  for (std::uint32_t i = 0; i < 65'536; ++i) {
    const float value = half_value(static_cast<std::uint16_t>(i));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_value(narrow_float16(value))));
    } else {
      EXPECT_EQ(narrow_float16(value), i);
    }
  }
}

/// Between two neighbours the nearer one is taken, and in the middle the one whose last bit is 0.
TEST(Float16, rounds_to_the_nearest) {
  std::mt19937 engine(4);
  std::uniform_real_distribution<double> fraction(0, 1);
  for (std::uint32_t i = 0; i < 0x7bff; ++i) {
    const auto below = static_cast<std::uint16_t>(i);
    const auto above = static_cast<std::uint16_t>(i + 1);
    const double low = static_cast<double>(half_value(below));
    const double high = static_cast<double>(half_value(above));
    // Halves have 11 digits and floats 24: the middle of two halves is a float.
    const auto middle = static_cast<float>((low + high) / 2);
    EXPECT_EQ(narrow_float16(middle), i % 2 == 0 ? below : above) << i;
    EXPECT_EQ(narrow_float16(std::nextafter(middle, 0.0F)), below) << i;
    EXPECT_EQ(narrow_float16(std::nextafter(middle, 1e6F)), above) << i;
    const auto between = static_cast<float>(low + (high - low) * fraction(engine));
    if (between == middle) continue;
    const bool up = static_cast<double>(between) - low > high - static_cast<double>(between);
    EXPECT_EQ(narrow_float16(-between), 0x8000 | (up ? above : below)) << i;
  }
}

TEST(Float16, is_infinite_from_halfway_beyond_the_largest) {
  EXPECT_EQ(narrow_float16(65'519.996F), 0x7bff);
  EXPECT_EQ(narrow_float16(65'520.0F), 0x7c00);
  EXPECT_EQ(narrow_float16(-65'536.0F), 0xfc00);
  EXPECT_EQ(narrow_float16(std::numeric_limits<float>::max()), 0x7c00);
  EXPECT_EQ(narrow_float16(std::numeric_limits<float>::denorm_min()), 0);
  EXPECT_EQ(narrow_float16(-0.0F), 0x8000);
}

}  // namespace
}  // namespace Sward::Test
