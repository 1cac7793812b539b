#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_NormalValues.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class NormalValues : public ::testing::Test {};
TYPED_TEST_SUITE(NormalValues, TestSpaces);

constexpr Draw draw{5, before_the_first_step, 12};
constexpr double deviation = 0.02;

template <class Scalar, class Space>
Matrix<Scalar, Space> normal_matrix(std::size_t rows, std::size_t columns, const Draw& stream = draw) {
  const auto matrix = poisoned_matrix<Scalar, Space>(rows, columns);
  normal_values(Space(), stream, deviation, matrix);
  return matrix;
}

/// Logarithm and cosine of a GPU may differ in their last bits, and a result be near zero.
template <class Space>
constexpr double last_bits = runs_on_host<Space> ? 0 : 1e-15;

TYPED_TEST(NormalValues, AreTheDrawsInOrder) {
  for (const auto& [m, n] : {std::pair{1, 1}, {1, 2000}, {300, 1}, {17, 33}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    const auto expected = make_matrix<double, Kokkos::HostSpace>(
        rows, columns, [&](std::size_t i, std::size_t j) { return deviation * normal(draw, i * columns + j); });
    EXPECT_TRUE(all_close(normal_matrix<double, TypeParam>(rows, columns), expected, 0, last_bits<TypeParam>));
    EXPECT_TRUE(all_close(normal_matrix<float, TypeParam>(rows, columns), expected, 6e-8, last_bits<TypeParam>));
    EXPECT_TRUE(all_close(normal_matrix<BFloat16, TypeParam>(rows, columns), expected, 0x1p-8, last_bits<TypeParam>));
  }
}

TYPED_TEST(NormalValues, DoNotDependOnTheShape) {
  const auto wide = to_host(normal_matrix<float, TypeParam>(4, 600));
  const auto tall = to_host(normal_matrix<float, TypeParam>(800, 3));
  for (std::size_t k = 0; k < 2400; ++k) ASSERT_EQ(wide(k / 600, k % 600), tall(k / 3, k % 3)) << k;
}

TYPED_TEST(NormalValues, AreTheSameOnEverySpace) {
  const auto values = normal_matrix<double, TypeParam>(100, 40);
  EXPECT_TRUE(all_close(values, normal_matrix<double, Kokkos::Serial>(100, 40), 0, last_bits<TypeParam>));
}

TYPED_TEST(NormalValues, FillARangeAndNothingElse) {
  const auto parent = random_matrix<float, TypeParam>(6, 40, 1);
  const auto expected = to_host(parent);
  const auto inside = to_host(normal_matrix<float, TypeParam>(3, 20));
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 20; ++j) expected(i + 2, j + 7) = inside(i, j);
  normal_values(TypeParam(), draw, deviation, Kokkos::subview(parent, std::pair(2, 5), std::pair(7, 27)));
  EXPECT_TRUE(all_close(parent, expected, 0, 0));
}

TYPED_TEST(NormalValues, HaveTheirMoments) {
  const std::size_t rows = 300, columns = 400;
  const auto values = to_host(normal_matrix<float, TypeParam>(rows, columns));
  double sum = 0, squares = 0, below = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const double value = static_cast<double>(values(i, j)) / deviation;
      sum += value;
      squares += value * value;
      below += value < -1 ? 1 : 0;
    }
  const double count = rows * columns;
  const double tail = 0.5 * std::erfc(1 / std::sqrt(2.0));
  EXPECT_NEAR(sum / count, 0, 5 / std::sqrt(count));
  EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2 / count));
  EXPECT_NEAR(below / count, tail, 5 * std::sqrt(tail * (1 - tail) / count));
}

TYPED_TEST(NormalValues, DifferBetweenStreams) {
  const auto values = to_host(normal_matrix<double, TypeParam>(5, 7));
  for (const Draw& other : {Draw{6, before_the_first_step, 12}, Draw{5, 0, 12}, Draw{5, before_the_first_step, 13}}) {
    const auto others = to_host(normal_matrix<double, TypeParam>(5, 7, other));
    for (std::size_t i = 0; i < 5; ++i)
      for (std::size_t j = 0; j < 7; ++j) EXPECT_NE(values(i, j), others(i, j));
  }
}

}  // namespace
