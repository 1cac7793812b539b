#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "Sward_Exponential.hpp"

namespace {

// Every 251st float over all bit patterns: all exponents and both signs, in a second.
constexpr std::uint64_t stride = 251;
constexpr std::uint64_t patterns = std::uint64_t{1} << 32;

double error_in_ulps(float result, double exact) {
  const float rounded = static_cast<float>(exact);
  const double ulp = static_cast<double>(rounded) - static_cast<double>(std::nextafter(rounded, 0.0f));
  return std::abs(static_cast<double>(result) - exact) / ulp;
}

TEST(Exponential, FloatIsWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  for (std::uint64_t pattern = 0; pattern < patterns; pattern += stride) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
    if (!(x >= -86.98f && x <= 88.72f)) continue;
    worst = std::max(worst, error_in_ulps(Sward::exponential(x), std::exp(static_cast<double>(x))));
  }
  EXPECT_LE(worst, 2.0);
}

TEST(Exponential, FloatIsZeroBelowAndInfiniteAboveItsRange) {
  for (std::uint64_t pattern = 0; pattern < patterns; pattern += stride) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
    if (x < -86.99f) {
      ASSERT_LE(Sward::exponential(x), 1.7e-38f) << x;
      ASSERT_GE(Sward::exponential(x), 0.0f) << x;
    }
    if (x < -104.0f) {
      ASSERT_EQ(Sward::exponential(x), 0.0f) << x;
    }
    if (x > 88.73f) {
      ASSERT_EQ(Sward::exponential(x), std::numeric_limits<float>::infinity()) << x;
    }
  }
  EXPECT_EQ(Sward::exponential(-std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_EQ(Sward::exponential(0.0f), 1.0f);
  EXPECT_EQ(Sward::exponential(-0.0f), 1.0f);
}

TEST(Exponential, NotANumberStaysSo) {
  for (std::uint64_t pattern = 0; pattern < patterns; pattern += stride) {
    const float x = std::bit_cast<float>(static_cast<std::uint32_t>(pattern));
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(Sward::exponential(x)));
    }
  }
}

TEST(Exponential, DoubleIsTheLibrarys) {
  for (const double x : {-800.0, -1.5, 0.0, 1e-9, 3.0, 709.0, 800.0}) EXPECT_EQ(Sward::exponential(x), std::exp(x));
}

}  // namespace
