#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>

#include "Sward_BFloat16.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SquaredNorm.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SquaredNorm : public ::testing::Test {};
TYPED_TEST_SUITE(SquaredNorm, TestSpaces);

template <class Space, class Values>
double result_of(const Values& values) {
  const Kokkos::View<double, Space> result("result");
  Kokkos::deep_copy(result, poison<double>());
  squared_norm(Space(), values, result);
  return to_host(result)();
}

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns) {
  const auto values = random_matrix<Scalar, Space>(rows, columns, 1, -3, 3);
  const auto host = to_host(values);
  double expected = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) expected += std::pow(static_cast<double>(host(i, j)), 2);
  // A rounding in double for each addition and square.
  const auto roundings = static_cast<double>(rows * columns + 1);
  EXPECT_NEAR((result_of<Space>(values)), expected, roundings * 1.2e-16 * expected) << rows << ", " << columns;
}

TYPED_TEST(SquaredNorm, AgreesWithDefinition) {
  for (const auto& [m, n] : {std::pair{1, 1}, {1, 5000}, {700, 1}, {17, 1057}, {300, 64}}) {
    agrees_with_definition<float, TypeParam>(static_cast<std::size_t>(m), static_cast<std::size_t>(n));
    agrees_with_definition<BFloat16, TypeParam>(static_cast<std::size_t>(m), static_cast<std::size_t>(n));
    agrees_with_definition<double, TypeParam>(static_cast<std::size_t>(m), static_cast<std::size_t>(n));
  }
}

TYPED_TEST(SquaredNorm, ReadsPacks) {
  const auto values = random_matrix<BFloat16, TypeParam>(13, 1000, 1, -3, 3);
  const Kokkos::View<double, TypeParam> result("result");
  squared_norm_of_packs<8>(TypeParam(), values, result);
  const double expected = result_of<TypeParam>(values);
  EXPECT_NEAR(to_host(result)(), expected, 13000 * 1.2e-16 * expected);
}

TYPED_TEST(SquaredNorm, LargeFloatsDoNotOverflow) {
  const auto values = make_matrix<float, TypeParam>(8, 8, [](auto, auto) { return 0x1p100f; });
  EXPECT_EQ((result_of<TypeParam>(values)), 0x1p206);
}

TYPED_TEST(SquaredNorm, OfNothingIsZero) {
  EXPECT_EQ((result_of<TypeParam>(Matrix<float, TypeParam>("no_rows", 0, 5))), 0.0);
  EXPECT_EQ((result_of<TypeParam>(Matrix<float, TypeParam>("no_columns", 5, 0))), 0.0);
}

TYPED_TEST(SquaredNorm, ShowsWhatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const auto values = make_matrix<float, TypeParam>(
        9, 30, [&](std::size_t i, std::size_t j) { return i == 6 && j == 29 ? bad : 1.0F; });
    EXPECT_FALSE(std::isfinite(result_of<TypeParam>(values)));
  }
}

}  // namespace
