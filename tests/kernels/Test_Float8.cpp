#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "Sward_BFloat16.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Pack.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

constexpr float infinity = std::numeric_limits<float>::infinity();

/// The value of a finite code without its sign, as binary floats are defined.
double value_of(int code) {
  const int exponent = code / 8;
  const double fraction = code % 8 / 8.0;
  return exponent == 0 ? std::ldexp(fraction, -6) : std::ldexp(1 + fraction, exponent - 7);
}

constexpr int largest_code = 0x7e;

float decoded(int code) { return static_cast<float>(Float8::from_bits(static_cast<std::uint8_t>(code))); }

int encoded(float value) { return Float8(value).bits(); }

TEST(Float8, DecodesAsBinaryFloats) {
  EXPECT_EQ(value_of(largest_code), 448.0);
  for (int code = 0; code <= largest_code; ++code) {
    EXPECT_EQ(static_cast<double>(decoded(code)), value_of(code)) << code;
    EXPECT_EQ(static_cast<double>(decoded(code | 0x80)), -value_of(code)) << code;
    EXPECT_EQ(std::signbit(decoded(code | 0x80)), true) << code;
  }
  EXPECT_TRUE(std::isnan(decoded(0x7f)));
  EXPECT_TRUE(std::isnan(decoded(0xff)));
}

TEST(Float8, KeepsItsOwnValues) {
  for (int code = 0; code <= largest_code; ++code) {
    EXPECT_EQ(encoded(decoded(code)), code);
    EXPECT_EQ(encoded(decoded(code | 0x80)), code | 0x80);
  }
  EXPECT_EQ(encoded(decoded(0x7f)), 0x7f);
}

TEST(Float8, TakesTheNearestAndOfTwoTheEven) {
  for (int code = 0; code < largest_code; ++code) {
    const auto middle = static_cast<float>((value_of(code) + value_of(code + 1)) / 2);
    ASSERT_EQ(static_cast<double>(middle), (value_of(code) + value_of(code + 1)) / 2) << "a float holds it";
    for (const int sign : {0, 0x80}) {
      const float side = sign == 0 ? 1.0F : -1.0F;
      EXPECT_EQ(encoded(side * middle), (code + code % 2) | sign) << code;
      EXPECT_EQ(encoded(side * std::nextafter(middle, 0.0F)), code | sign) << code;
      EXPECT_EQ(encoded(side * std::nextafter(middle, infinity)), (code + 1) | sign) << code;
      EXPECT_EQ(encoded(side * std::nextafter(decoded(code), infinity)), code | sign) << code;
      EXPECT_EQ(encoded(side * std::nextafter(decoded(code + 1), 0.0F)), (code + 1) | sign) << code;
    }
  }
}

TEST(Float8, TakesTheLargestForAllThatIsBeyondButNaN) {
  for (const float value : {448.1F, 463.9F, 464.0F, 480.0F, 1e9F, std::numeric_limits<float>::max(), infinity}) {
    EXPECT_EQ(encoded(value), largest_code) << value;
    EXPECT_EQ(encoded(-value), largest_code | 0x80) << value;
  }
  EXPECT_EQ(encoded(std::numeric_limits<float>::quiet_NaN()), 0x7f);
}

TEST(Float8Scale, IsTheLeastPowerOfTwoThatMakesANumberFit) {
  for (int exponent = -149; exponent < 128; ++exponent) {
    for (const double fraction : {1.0, 1.3, 1.75, 1.7500001, 1.9999}) {
      const auto magnitude = static_cast<float>(std::ldexp(fraction, exponent));
      const double scale = float8_scale(magnitude);
      EXPECT_EQ(scale, std::exp2(std::max(-120.0, std::ceil(std::log2(static_cast<double>(magnitude) / 448)))))
          << magnitude;
      EXPECT_LE(static_cast<double>(magnitude) / scale, 448.0);
    }
  }
  EXPECT_EQ(float8_scale(0.0F), 1.0F);
  EXPECT_TRUE(std::isnan(float8_scale(infinity)));
  EXPECT_TRUE(std::isnan(float8_scale(std::numeric_limits<float>::quiet_NaN())));
}

TEST(Float8Scale, TimesACodeIsExactInBFloat16) {
  for (int code = 0; code <= largest_code; ++code) {
    for (const float scale : {0x1p-120F, 0x1p-20F, 0x1p0F, 0x1p119F}) {
      const float value = decoded(code) * scale;
      EXPECT_EQ(static_cast<double>(value), value_of(code) * static_cast<double>(scale));
      EXPECT_EQ(static_cast<float>(BFloat16(value)), value) << code;
    }
  }
}

template <class Space>
class Float8Spaces : public ::testing::Test {};
TYPED_TEST_SUITE(Float8Spaces, TestSpaces);

template <class Space, class Values, class Results, class Decoded>
void convert_all(const Values& values, const Results& single, const Results& packed, const Decoded& back) {
  constexpr int N = 8;
  Kokkos::parallel_for(
      "convert", Kokkos::RangePolicy<Space>(0, values.extent(0) / N), KOKKOS_LAMBDA(const std::size_t place) {
        const auto pack = load_pack<N>(&values(place * N));
        store_pack(convert_pack<Float8>(pack), &packed(place * N));
        for (std::size_t i = place * N; i < (place + 1) * N; ++i) {
          single(i) = Float8(values(i));
          back(i) = static_cast<float>(single(i));
        }
      });
}

TYPED_TEST(Float8Spaces, GiveTheSameBits) {
  const std::size_t count = 1U << 18;
  std::mt19937 engine(1);
  const auto values = make_vector<float, TypeParam>(count, [&](std::size_t i) {
    const auto any = static_cast<std::uint32_t>(engine());
    // One half of all floats there are, one half of those that codes are near to.
    return i % 2 == 0
               ? Kokkos::bit_cast<float>(any)
               : std::ldexp(1 + static_cast<float>(any & 0x1ffffU) * 0x1p-17F, static_cast<int>(any >> 17 & 31) - 20);
  });
  const auto single = poisoned_vector<Float8, TypeParam>(count), packed = poisoned_vector<Float8, TypeParam>(count);
  const auto back = poisoned_vector<float, TypeParam>(count);
  convert_all<TypeParam>(values, single, packed, back);
  const auto host_values = to_host(values);
  const auto host_single = to_host(single), host_packed = to_host(packed);
  const auto host_back = to_host(back);
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_EQ(int{host_single(i).bits()}, encoded(host_values(i))) << host_values(i);
    ASSERT_EQ(host_packed(i).bits(), host_single(i).bits()) << host_values(i);
    const float wanted = decoded(host_single(i).bits());
    ASSERT_TRUE(host_back(i) == wanted || std::isnan(wanted)) << host_values(i);
  }
}

}  // namespace
