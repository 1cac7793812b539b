#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class Space>
class AllClose : public ::testing::Test {};
TYPED_TEST_SUITE(AllClose, TestSpaces);

/// all_close on one element.
::testing::AssertionResult close(double actual, double expected, double relative, double absolute) {
  return all_close(make_vector<double, Kokkos::Serial>(1, [&](auto) { return actual; }),
                   make_vector<double, Kokkos::Serial>(1, [&](auto) { return expected; }), relative, absolute);
}

TYPED_TEST(AllClose, FindsAnyElementThatDiffers) {
  const auto expected = random_matrix<float, TypeParam>(3, 5, 1);
  EXPECT_TRUE(all_close(expected, expected, 0, 0));
  for (std::size_t row = 0; row < 3; ++row)
    for (std::size_t column = 0; column < 5; ++column) {
      const auto host = to_host(expected);
      const auto actual = make_matrix<float, TypeParam>(
          3, 5, [&](std::size_t i, std::size_t j) { return host(i, j) + (i == row && j == column ? 0.01F : 0.0F); });
      EXPECT_FALSE(all_close(actual, expected, 0, 0.009));
      EXPECT_TRUE(all_close(actual, expected, 0, 0.011));
    }
}

TYPED_TEST(AllClose, NamesTheWorstFirst) {
  const auto expected = make_matrix<double, TypeParam>(4, 6, [](auto, auto) { return 8; });
  const auto actual = make_matrix<double, TypeParam>(4, 6, [](std::size_t i, std::size_t j) {
    if (i == 1 && j == 2) return 8.5;
    if (i == 3 && j == 5) return 10.0;
    return 8.0;
  });
  const std::string message = all_close(actual, expected, 0, 0.25).message();
  EXPECT_NE(message.find("2 of 24 elements differ"), std::string::npos) << message;
  const std::size_t worst = message.find("(3, 5): got 10, expected 8, 8 x the tolerance");
  const std::size_t other = message.find("(1, 2): got 8.5, expected 8, 2 x the tolerance");
  ASSERT_NE(worst, std::string::npos) << message;
  ASSERT_NE(other, std::string::npos) << message;
  EXPECT_LT(worst, other);
}

TEST(AllCloseTolerance, AddsTheRelativeAndTheAbsolutePart) {
  EXPECT_TRUE(close(-104.9, -100, 0.04, 1));
  EXPECT_FALSE(close(-105.1, -100, 0.04, 1));
  EXPECT_TRUE(close(-95.1, -100, 0.04, 1));
  EXPECT_FALSE(close(-94.9, -100, 0.04, 1));
  EXPECT_FALSE(close(1e-300, 0, 1, 0));  // what is expected to be zero has no relative part
  EXPECT_FALSE(close(100, -100, 0.5, 0));
}

TEST(AllCloseTolerance, NotANumberIsADifferenceOnEitherSide) {
  EXPECT_FALSE(close(not_a_number, 1, 1, infinity));
  EXPECT_FALSE(close(1, not_a_number, 1, 1e300));
  EXPECT_FALSE(close(not_a_number, not_a_number, 1, 1e300));
}

TEST(AllCloseTolerance, InfinityIsCloseOnlyToItself) {
  EXPECT_TRUE(close(infinity, infinity, 0, 0));
  EXPECT_FALSE(close(infinity, -infinity, 1, 1));
  EXPECT_FALSE(close(infinity, 1e308, 1, 1e308));
  EXPECT_FALSE(close(1e308, infinity, 1, 1e308));
}

TEST(AllCloseTolerance, ExtentsMustAgree) {
  const Matrix<float, Kokkos::Serial> matrix("matrix", 2, 3), turned("turned", 3, 2);
  const auto result = all_close(matrix, turned, 1, 1);
  EXPECT_FALSE(result);
  EXPECT_NE(std::string(result.message()).find("(2, 3) against (3, 2)"), std::string::npos) << result.message();
}

}  // namespace
