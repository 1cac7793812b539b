#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "Sward_RowCodes.hpp"

namespace {

using namespace Sward;

constexpr int size = 8;

template <class T, class Element>
Pack<T, size> pack_of(const Element& element) {
  Pack<T, size> pack;
  for (int e = 0; e < size; ++e) pack[e] = element(e);
  return pack;
}

/// Codes of what is kept of bfloat16 number times 2^exponent, and of the product itself.
void expect_codes_of_product(std::uint16_t bits, int exponent, float scale) {
  const BFloat16 number = BFloat16::from_bits(bits);
  const float factor = std::ldexp(1.0F, exponent);
  const auto kept =
      multiply_for_codes(pack_of<BFloat16>([&](int) { return number; }), pack_of<float>([&](int) { return factor; }));
  const float product = static_cast<float>(number) * factor;
  for (const int e : {2, 3})
    EXPECT_EQ(Float8(static_cast<float>(kept[e]) / scale).bits(), Float8(product / scale).bits())
        << static_cast<float>(number) << " * 2^" << exponent << " / " << scale;
}

TEST(RowCodes, KeepsProductsForTheirCodes) {
  for (std::uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const auto of_number = static_cast<std::uint16_t>(bits);
    if (std::isnan(static_cast<float>(BFloat16::from_bits(of_number)))) continue;
    for (const int exponent : {-20, -9, -1, 0, 3})
      for (const float scale : {0x1p-120F, 0x1p-119F, 0x1p-100F, 1.0F})
        expect_codes_of_product(of_number, exponent, scale);
  }
}

TEST(RowCodes, KeepsWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto x = pack_of<BFloat16>([&](int e) {
    return BFloat16(e == 0 ? infinity : e == 1 ? -infinity : e == 2 ? std::nanf("") : 1.0F);
  });
  const auto kept = multiply_for_codes(x, pack_of<float>([](int e) { return e == 3 ? 0.0F : 0.25F; }));
  EXPECT_EQ(static_cast<float>(kept[0]), infinity);
  EXPECT_EQ(static_cast<float>(kept[1]), -infinity);
  EXPECT_TRUE(std::isnan(static_cast<float>(kept[2])));
  EXPECT_EQ(static_cast<float>(kept[3]), 0.0F);
}

template <class T>
class LargestMagnitude : public ::testing::Test {};
using Stored = ::testing::Types<float, BFloat16>;
TYPED_TEST_SUITE(LargestMagnitude, Stored);

TYPED_TEST(LargestMagnitude, FindsItAnywhere) {
  for (int place = 0; place < 2 * size; ++place) {
    Pack<TypeParam, size> x[2];
    for (int i = 0; i < 2 * size; ++i)
      x[i / size][i % size] = TypeParam(i == place ? -7.5F : 0.25F * static_cast<float>(i % 5));
    EXPECT_EQ(Kokkos::bit_cast<float>(largest_magnitude(x)), 7.5F) << place;
  }
}

TYPED_TEST(LargestMagnitude, PutsNaNAboveAll) {
  for (const float sign : {1.0F, -1.0F}) {
    Pack<TypeParam, size> x[1] = {pack_of<TypeParam>([&](int e) {
      return TypeParam(e == 2 ? std::copysign(std::nanf(""), sign) : std::numeric_limits<float>::infinity());
    })};
    EXPECT_TRUE(std::isnan(Kokkos::bit_cast<float>(largest_magnitude(x))));
  }
}

TEST(RowCodes, LoadsZerosBeyondTheEnd) {
  alignas(16) BFloat16 row[16];
  for (int j = 0; j < 16; ++j) row[j] = BFloat16(static_cast<float>(j + 1));
  const auto inside = load_pack_or_zeros<size>(row, 8, 16), beyond = load_pack_or_zeros<size>(row, 16, 16);
  for (int e = 0; e < size; ++e) {
    EXPECT_EQ(static_cast<float>(inside[e]), static_cast<float>(e + 9));
    EXPECT_EQ(static_cast<float>(beyond[e]), 0.0F);
  }
}

}  // namespace
