#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "Sward_BFloat16.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_Sum.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Sum : public ::testing::Test {};
TYPED_TEST_SUITE(Sum, TestSpaces);

TYPED_TEST(Sum, AgreesWithDefinitionInDouble) {
  for (const std::size_t extent : {1, 33, 100000}) {
    const auto values = random_vector<float, TypeParam>(extent, 1, 0, 2);
    const auto host = to_host(values);
    double expected = 0;
    for (std::size_t i = 0; i < extent; ++i) expected += static_cast<double>(host(i));
    // A rounding in double for each addition; sums in float would be wrong by 1e-4.
    EXPECT_NEAR(sum(TypeParam(), values), expected, static_cast<double>(extent) * 1.2e-16 * expected);
  }
}

TYPED_TEST(Sum, OfIntegersIsExact) {
  const auto values = make_vector<int, TypeParam>(1000, [](std::size_t i) { return static_cast<int>(i) - 3; });
  EXPECT_EQ(sum(TypeParam(), values), 499500.0 - 3000.0);
}

TYPED_TEST(Sum, OfTwoByteElementsIsInDouble) {
  const auto values = make_vector<BFloat16, TypeParam>(1000, [](auto) { return 1.0078125; });
  EXPECT_EQ(sum(TypeParam(), values), 1007.8125);
}

TYPED_TEST(Sum, OfNothingIsZero) { EXPECT_EQ((sum(TypeParam(), Vector<float, TypeParam>("empty", 0))), 0.0); }

TYPED_TEST(Sum, ShowsWhatIsNotANumber) {
  const auto values = make_vector<float, TypeParam>(
      500, [](std::size_t i) { return i == 400 ? std::numeric_limits<float>::quiet_NaN() : 1.0F; });
  EXPECT_TRUE(std::isnan(sum(TypeParam(), values)));
}

}  // namespace
