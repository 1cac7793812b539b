#include <gtest/gtest.h>

#include <cstdint>

#include "Sward_AdamWUpdate.hpp"
#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_ReferenceAdam.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class AdamWUpdate : public ::testing::Test {};
TYPED_TEST_SUITE(AdamWUpdate, TestSpaces);

constexpr double learning_rate = 0.1;

AdamStep step_number(std::int64_t count, double gradient_scale = 1.0) {
  return {0.9, 0.99, 0.05, count, gradient_scale};
}

template <class Scalar, class Space>
void follows_updates_from_zero(std::size_t rows, std::size_t columns, double gradient_scale, double decay,
                               double tolerance) {
  const Matrix<Scalar, Space> first("first", rows, columns), second("second", rows, columns);
  const auto weight = random_matrix<Scalar, Space>(rows, columns, 9);
  const Matrix<double, Kokkos::HostSpace> m("m", rows, columns), v("v", rows, columns);
  const auto start = to_host(weight);
  const auto expected =
      make_matrix<double, Kokkos::HostSpace>(rows, columns, [&](std::size_t i, std::size_t j) { return start(i, j); });
  for (std::int64_t count = 1; count <= 5; ++count) {
    const AdamStep step = step_number(count, gradient_scale);
    const auto gradient = random_matrix<Scalar, Space>(rows, columns, static_cast<std::uint64_t>(count));
    adamw_update(Space(), step, learning_rate, decay, Rounding{}, gradient, first, second, weight);
    const auto g = to_host(gradient);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) {
        const double change = reference_adam(step, static_cast<double>(g(i, j)), m(i, j), v(i, j));
        expected(i, j) = (1 - decay) * expected(i, j) - learning_rate * change;
      }
    // An update adds three roundings of a weight below 2, and those of a step of size 1 times the learning rate.
    const double steps = static_cast<double>(count) * tolerance;
    EXPECT_TRUE(all_close(first, m, 0, 2 * steps)) << count;
    EXPECT_TRUE(all_close(second, v, 5 * steps, 0)) << count;
    EXPECT_TRUE(all_close(weight, expected, 0, 8 * steps)) << count;
  }
}

TYPED_TEST(AdamWUpdate, AgreesWithDefinition) {
  for (const double decay : {0.0, 0.25}) {
    for (const double gradient_scale : {1.0, 0.3}) {
      follows_updates_from_zero<double, TypeParam>(3, 300, gradient_scale, decay, 1.2e-16);
      follows_updates_from_zero<float, TypeParam>(3, 300, gradient_scale, decay, 6e-8);
    }
  }
  follows_updates_from_zero<float, TypeParam>(1, 1, 1.0, 0.1, 6e-8);
  follows_updates_from_zero<float, TypeParam>(50, 1, 1.0, 0.1, 6e-8);
}

TYPED_TEST(AdamWUpdate, DecayLeavesTheMomentsAlone) {
  // With a gradient of zero only the decay is left: 3/4 of each weight, exactly.
  const Matrix<double, TypeParam> gradient("gradient", 2, 40), first("first", 2, 40), second("second", 2, 40);
  const auto weight = make_matrix<double, TypeParam>(2, 40, [](auto i, auto j) { return i * 64 + j * 4; });
  adamw_update(TypeParam(), step_number(1), learning_rate, 0.25, Rounding{}, gradient, first, second, weight);
  const auto expected = make_matrix<double, Kokkos::HostSpace>(2, 40, [](auto i, auto j) { return i * 48 + j * 3; });
  EXPECT_TRUE(all_close(weight, expected, 0, 0));
  EXPECT_TRUE(all_close(first, gradient, 0, 0));
  EXPECT_TRUE(all_close(second, gradient, 0, 0));
}

TYPED_TEST(AdamWUpdate, RefusesWhatDoesNotFit) {
  const Matrix<float, TypeParam> fitting("fitting", 3, 8), other("other", 4, 8);
  const auto update = [&](std::int64_t count, const auto& gradient, const auto& first, const auto& second,
                          const auto& weight) {
    adamw_update(TypeParam(), step_number(count), learning_rate, 0.0, Rounding{}, gradient, first, second, weight);
  };
  EXPECT_THROW(update(0, fitting, fitting, fitting, fitting), std::invalid_argument);
  EXPECT_THROW(update(1, other, fitting, fitting, fitting), ExtentError);
  EXPECT_THROW(update(1, fitting, other, fitting, fitting), ExtentError);
  EXPECT_THROW(update(1, fitting, fitting, other, fitting), ExtentError);
  EXPECT_THROW(update(1, fitting, fitting, fitting, other), ExtentError);
}

}  // namespace
