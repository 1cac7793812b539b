#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_CentralDifferences.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RmsNorm : public ::testing::Test {};
TYPED_TEST_SUITE(RmsNorm, TestSpaces);

constexpr double epsilon = 1e-3;

template <class Scalar, class Space>
struct Norm {
  Matrix<Scalar, Space> input;
  Vector<Scalar, Space> weight;
  Vector<Scalar, Space> inverse_rms;
  Matrix<Scalar, Space> output;

  Norm(std::size_t rows, std::size_t columns)
      : input(random_matrix<Scalar, Space>(rows, columns, 1, -2, 2)),
        weight(random_vector<Scalar, Space>(columns, 2, 0.5, 1.5)),
        inverse_rms(poisoned_vector<Scalar, Space>(rows)),
        output(poisoned_matrix<Scalar, Space>(rows, columns)) {}

  void forward() const { rms_norm(Space(), input, weight, epsilon, inverse_rms, output); }
};

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, double tolerance) {
  const Norm<Scalar, Space> norm(rows, columns);
  norm.forward();
  const auto x = to_host(norm.input);
  const auto w = to_host(norm.weight);
  const auto inverse = make_vector<double, Kokkos::HostSpace>(rows, [&](std::size_t i) {
    double squares = 0;
    for (std::size_t j = 0; j < columns; ++j) squares += std::pow(static_cast<double>(x(i, j)), 2);
    return 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
  });
  const auto expected = make_matrix<double, Kokkos::HostSpace>(rows, columns, [&](std::size_t i, std::size_t j) {
    return static_cast<double>(x(i, j)) * inverse(i) * static_cast<double>(w(j));
  });
  EXPECT_TRUE(all_close(norm.inverse_rms, inverse, tolerance, 0));
  EXPECT_TRUE(all_close(norm.output, expected, 3 * tolerance, 0));
}

TYPED_TEST(RmsNorm, AgreesWithDefinition) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {3, 7}, {5, 64}, {17, 384}, {2, 1031}}) {
    const auto b = static_cast<std::size_t>(rows);
    const auto n = static_cast<std::size_t>(columns);
    agrees_with_definition<double, TypeParam>(b, n, 1e-14);
    agrees_with_definition<float, TypeParam>(b, n, 1.2e-7);
  }
}

TYPED_TEST(RmsNorm, MayWriteOverItsInput) {
  const Norm<float, TypeParam> apart(4, 100), inside(4, 100);
  apart.forward();
  rms_norm(TypeParam(), inside.input, inside.weight, epsilon, inside.inverse_rms, inside.input);
  EXPECT_TRUE(all_close(inside.input, apart.output, 0, 0));
}

TYPED_TEST(RmsNorm, BackwardAddsTheGradients) {
  for (const std::size_t columns : {5, 67}) {
    const std::size_t rows = 6;
    const Norm<double, TypeParam> norm(rows, columns);
    const auto above = random_matrix<double, TypeParam>(rows, columns, 3);
    const auto input_gradient = make_matrix<double, TypeParam>(rows, columns, [](auto, auto) { return 1; });
    const auto weight_gradient = make_vector<double, TypeParam>(columns, [](auto) { return 2; });
    norm.forward();
    rms_norm_backward(TypeParam(), above, norm.input, norm.weight, norm.inverse_rms, input_gradient, weight_gradient);
    const auto loss = [&] {
      norm.forward();
      return weighted_sum(norm.output, above);
    };
    const auto by_input = central_differences(norm.input, loss);
    const auto by_weight = central_differences(norm.weight, loss);
    for (std::size_t i = 0; i < by_input.size(); ++i) by_input.data()[i] += 1;
    for (std::size_t i = 0; i < by_weight.size(); ++i) by_weight.data()[i] += 2;
    EXPECT_TRUE(all_close(input_gradient, by_input, 1e-7, 1e-7));
    EXPECT_TRUE(all_close(weight_gradient, by_weight, 1e-7, 1e-7));
  }
}

template <class Scalar, class Space>
std::pair<Matrix<Scalar, Space>, Vector<Scalar, Space>> gradients(std::size_t rows, std::size_t columns) {
  const Norm<Scalar, Space> norm(rows, columns);
  const auto above = random_matrix<Scalar, Space>(rows, columns, 3);
  const Matrix<Scalar, Space> input_gradient("input_gradient", rows, columns);
  const Vector<Scalar, Space> weight_gradient("weight_gradient", columns);
  norm.forward();
  rms_norm_backward(Space(), above, norm.input, norm.weight, norm.inverse_rms, input_gradient, weight_gradient);
  return {input_gradient, weight_gradient};
}

TYPED_TEST(RmsNorm, FloatGradientsAgreeWithDouble) {
  const auto [input_float, weight_float] = gradients<float, TypeParam>(300, 384);
  const auto [input_double, weight_double] = gradients<double, TypeParam>(300, 384);
  // Inputs are rounded to float first: relative 6e-8 of each of 300 terms below 3.
  EXPECT_TRUE(all_close(input_float, input_double, 1e-6, 1e-6));
  EXPECT_TRUE(all_close(weight_float, weight_double, 1e-6, 1e-5));
}

TYPED_TEST(RmsNorm, GradientsHaveTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs add in another, also fixed, order";
  const auto [input, weight] = gradients<float, TypeParam>(1000, 100);
  const auto [serial_input, serial_weight] = gradients<float, Kokkos::Serial>(1000, 100);
  EXPECT_TRUE(all_close(input, serial_input, 0, 0));
  EXPECT_TRUE(all_close(weight, serial_weight, 0, 0));
}

TYPED_TEST(RmsNorm, RefusesExtentsThatDoNotFit) {
  const Norm<float, TypeParam> norm(4, 8);
  const Vector<float, TypeParam> shorter("shorter", 3);
  EXPECT_THROW(rms_norm(TypeParam(), norm.input, shorter, epsilon, norm.inverse_rms, norm.output), ExtentError);
  EXPECT_THROW(rms_norm(TypeParam(), norm.input, norm.weight, epsilon, shorter, norm.output), ExtentError);
  EXPECT_THROW(
      rms_norm_backward(TypeParam(), norm.output, norm.input, norm.weight, norm.inverse_rms, norm.input, shorter),
      ExtentError);
}

}  // namespace
