#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "Sward_AdamUpdate.hpp"
#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_ReferenceAdam.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class AdamUpdate : public ::testing::Test {};
TYPED_TEST_SUITE(AdamUpdate, TestSpaces);

// An epsilon that matters beside the second moments of these tests.
AdamStep step_number(std::int64_t count, double gradient_scale = 1.0) {
  return {0.9, 0.99, 0.05, count, gradient_scale};
}

template <class Scalar, class Space>
struct Operands {
  Matrix<Scalar, Space> gradient, first, second, output;

  Operands(std::size_t rows, std::size_t columns)
      : gradient(random_matrix<Scalar, Space>(rows, columns, 1)),
        first(random_matrix<Scalar, Space>(rows, columns, 2, -0.5, 0.5)),
        second(random_matrix<Scalar, Space>(rows, columns, 3, 0.05, 1)),
        output(poisoned_matrix<Scalar, Space>(rows, columns)) {}

  void update(const AdamStep& step) const { adam_update(Space(), step, Rounding{}, gradient, first, second, output); }
};

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, const AdamStep& step, double tolerance) {
  const Operands<Scalar, Space> operands(rows, columns);
  const auto gradient = to_host(operands.gradient);
  const auto start_first = to_host(operands.first);
  const auto start_second = to_host(operands.second);
  const Matrix<double, Kokkos::HostSpace> first("first", rows, columns), second("second", rows, columns),
      output("output", rows, columns);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      first(i, j) = static_cast<double>(start_first(i, j));
      second(i, j) = static_cast<double>(start_second(i, j));
      output(i, j) = reference_adam(step, static_cast<double>(gradient(i, j)), first(i, j), second(i, j));
    }
  operands.update(step);
  // Terms of the first moment may cancel, so its error, and the step's, is one of their size and not of the result's:
  // three roundings of at most 1/2 in the moment, seven more in the step, which for these moments is below 4. GPUs
  // approximate a root and a quotient, and are off by three more.
  EXPECT_TRUE(all_close(operands.first, first, 0, 2 * tolerance)) << step.count;
  EXPECT_TRUE(all_close(operands.second, second, 5 * tolerance, 0)) << step.count;
  EXPECT_TRUE(all_close(operands.output, output, 10 * tolerance, 8 * tolerance)) << step.count;
}

TYPED_TEST(AdamUpdate, AgreesWithDefinition) {
  for (const std::int64_t count : {1, 2, 10, 100000}) {
    for (const double gradient_scale : {1.0, 0.3}) {
      const AdamStep step = step_number(count, gradient_scale);
      agrees_with_definition<double, TypeParam>(3, 300, step, 1.2e-16);
      agrees_with_definition<float, TypeParam>(3, 300, step, 6e-8);
    }
  }
  agrees_with_definition<float, TypeParam>(1, 1, step_number(3), 6e-8);
  agrees_with_definition<float, TypeParam>(40, 1, step_number(3), 6e-8);
}

TYPED_TEST(AdamUpdate, FollowsSeveralUpdatesFromZero) {
  const std::size_t rows = 4, columns = 33;
  const Matrix<double, TypeParam> first("first", rows, columns), second("second", rows, columns);
  const Matrix<double, Kokkos::HostSpace> m("m", rows, columns), v("v", rows, columns);
  for (std::int64_t count = 1; count <= 6; ++count) {
    const AdamStep step = step_number(count, 2.0);
    const auto gradient = random_matrix<double, TypeParam>(rows, columns, static_cast<std::uint64_t>(count));
    const auto output = poisoned_matrix<double, TypeParam>(rows, columns);
    adam_update(TypeParam(), step, Rounding{}, gradient, first, second, output);
    const auto g = to_host(gradient);
    const auto expected = make_matrix<double, Kokkos::HostSpace>(
        rows, columns, [&](std::size_t i, std::size_t j) { return reference_adam(step, g(i, j), m(i, j), v(i, j)); });
    EXPECT_TRUE(all_close(output, expected, 1e-14, 1e-14)) << count;  // a few roundings an update
  }
}

TYPED_TEST(AdamUpdate, FirstStepFromZeroIsTheSignOfTheGradient) {
  const Matrix<double, TypeParam> first("first", 2, 50), second("second", 2, 50);
  const auto gradient = random_matrix<double, TypeParam>(2, 50, 5);
  const auto output = poisoned_matrix<double, TypeParam>(2, 50);
  adam_update(TypeParam(), AdamStep{0.9, 0.999, 0.0, 1}, Rounding{}, gradient, first, second, output);
  const auto g = to_host(gradient);
  const auto expected = make_matrix<double, Kokkos::HostSpace>(
      2, 50, [&](std::size_t i, std::size_t j) { return g(i, j) > 0 ? 1.0 : -1.0; });
  EXPECT_TRUE(all_close(output, expected, 1e-12, 0));  // 1 - 0.999 has lost three digits
}

TYPED_TEST(AdamUpdate, MayWriteOverTheGradient) {
  const Operands<float, TypeParam> apart(3, 600), inside(3, 600);
  apart.update(step_number(7));
  adam_update(TypeParam(), step_number(7), Rounding{}, inside.gradient, inside.first, inside.second, inside.gradient);
  EXPECT_TRUE(all_close(inside.gradient, apart.output, 0, 0));
  EXPECT_TRUE(all_close(inside.first, apart.first, 0, 0));
  EXPECT_TRUE(all_close(inside.second, apart.second, 0, 0));
}

TYPED_TEST(AdamUpdate, RefusesWhatDoesNotFit) {
  const Operands<float, TypeParam> operands(3, 8);
  const Matrix<float, TypeParam> other("other", 3, 7);
  const auto& [gradient, first, second, output] = operands;
  EXPECT_THROW(operands.update(step_number(0)), std::invalid_argument);
  EXPECT_THROW(adam_update(TypeParam(), step_number(1), Rounding{}, other, first, second, output), ExtentError);
  EXPECT_THROW(adam_update(TypeParam(), step_number(1), Rounding{}, gradient, other, second, output), ExtentError);
  EXPECT_THROW(adam_update(TypeParam(), step_number(1), Rounding{}, gradient, first, other, output), ExtentError);
  EXPECT_THROW(adam_update(TypeParam(), step_number(1), Rounding{}, gradient, first, second, other), ExtentError);
}

}  // namespace
