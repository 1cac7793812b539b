#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ProjectProduct : public ::testing::Test {};
TYPED_TEST_SUITE(ProjectProduct, TestSpaces);

/// dY'X in double.
template <class OutputGradient, class Input>
Matrix<double, Kokkos::HostSpace> whole_gradient(const OutputGradient& output_gradient, const Input& input) {
  return make_matrix<double, Kokkos::HostSpace>(
      output_gradient.extent(1), input.extent(1), [&](std::size_t i, std::size_t j) {
        double sum = 0;
        for (std::size_t t = 0; t < input.extent(0); ++t)
          sum += static_cast<double>(output_gradient(t, i)) * static_cast<double>(input(t, j));
        return sum;
      });
}

template <class Scalar, class Space>
struct Factors {
  Matrix<Scalar, Space> output_gradient, input, gathered, gradient;
  SelectionMemory<Space> memory;

  /// The gradient holds NaN, or for beta = 1 something to add to.
  Factors(std::size_t tokens, std::size_t outputs, std::size_t inputs, Side side, const std::vector<int>& rows,
          Scalar beta)
      : output_gradient(random_matrix<Scalar, Space>(tokens, outputs, 1)),
        input(random_matrix<Scalar, Space>(tokens, inputs, 2)),
        gathered(poisoned_matrix<Scalar, Space>(tokens, rows.size())),
        memory(given_selection<Space>(rows, std::vector<float>(rows.size(), 3.0F),
                                      side == Side::rows ? outputs : inputs, side)) {
    const std::size_t m = side == Side::rows ? rows.size() : outputs;
    const std::size_t n = side == Side::rows ? inputs : rows.size();
    gradient = beta == Scalar(0) ? poisoned_matrix<Scalar, Space>(m, n) : random_matrix<Scalar, Space>(m, n, 3);
  }
};

template <class Scalar, class Space>
void agrees_with_definition(std::size_t tokens, std::size_t outputs, std::size_t inputs, Side side,
                            const std::vector<int>& rows, Scalar beta, double epsilon) {
  const Factors<Scalar, Space> factors(tokens, outputs, inputs, side, rows, beta);
  const auto whole = whole_gradient(to_host(factors.output_gradient), to_host(factors.input));
  const auto before = to_host(factors.gradient);
  const auto expected =
      make_matrix<double, Kokkos::HostSpace>(before.extent(0), before.extent(1), [&](std::size_t i, std::size_t j) {
        const double added = side == Side::rows ? whole(rows[i], j) : whole(i, rows[j]);
        return beta == Scalar(0) ? added : static_cast<double>(beta * before(i, j)) + added;
      });
  project_product(Space(), factors.memory.selection(), factors.output_gradient, factors.input, factors.gathered, beta,
                  factors.gradient);
  // Partial sums of products below 1, of which a third of a third is left in the mean of squares: they stay below
  // sqrt(tokens) + 2, and there are tokens + 1 roundings.
  const auto terms = static_cast<double>(tokens);
  EXPECT_TRUE(all_close(factors.gradient, expected, 0, epsilon * (terms + 1) * (std::sqrt(terms) + 2)));
}

TYPED_TEST(ProjectProduct, AgreesWithTheRowsOfTheWholeGradient) {
  const std::vector<std::vector<int>> selections = {{0, 4, 5, 11}, {3}, {0, 0, 6, 6, 11}};
  for (const Side side : {Side::rows, Side::columns}) {
    for (const auto& rows : selections) {
      for (const int beta : {0, 1}) {
        for (const std::size_t tokens : {1, 7, 65}) {
          agrees_with_definition<double, TypeParam>(tokens, 12, 33, side, rows, beta, 1.2e-16);
          agrees_with_definition<float, TypeParam>(tokens, 33, 12, side, rows, static_cast<float>(beta), 6e-8);
        }
        agrees_with_definition<double, TypeParam>(9, 12, 12, side, rows, 0.5 * beta, 1.2e-16);
      }
    }
    std::vector<int> every_second;
    for (int k = 1; k < 700; k += 2) every_second.push_back(k);
    agrees_with_definition<double, TypeParam>(5, 700, 700, side, every_second, 0.0, 1.2e-16);
  }
}

TYPED_TEST(ProjectProduct, OneInputOrOneOutput) {
  agrees_with_definition<float, TypeParam>(20, 12, 1, Side::rows, {2, 7}, 0.0F, 6e-8);
  agrees_with_definition<float, TypeParam>(20, 1, 12, Side::columns, {2, 7}, 0.0F, 6e-8);
}

TYPED_TEST(ProjectProduct, RefusesExtentsThatDoNotFit) {
  const auto refused = [](Side side, const auto& change) {
    Factors<float, TypeParam> factors(5, 12, 12, side, {1, 2, 3}, 0.0F);
    change(factors);
    EXPECT_THROW(project_product(TypeParam(), factors.memory.selection(), factors.output_gradient, factors.input,
                                 factors.gathered, 0.0F, factors.gradient),
                 ExtentError);
  };
  for (const Side side : {Side::rows, Side::columns}) {
    using Operand = Matrix<float, TypeParam>;
    refused(side, [](auto& factors) { factors.input = Operand("input", 6, 12); });
    refused(side, [](auto& factors) { factors.output_gradient = Operand("output_gradient", 5, 11); });
    refused(side, [](auto& factors) { factors.input = Operand("input", 5, 13); });
    refused(side, [](auto& factors) { factors.gathered = Operand("gathered", 5, 4); });
    refused(side, [](auto& factors) { factors.gathered = Operand("gathered", 4, 3); });
    refused(side, [](auto& factors) { factors.gradient = Operand("gradient", 12, 12); });
  }
}

}  // namespace
