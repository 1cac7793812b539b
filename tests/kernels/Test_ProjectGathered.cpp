#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_ProjectGathered.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ProjectGathered : public ::testing::Test {};
TYPED_TEST_SUITE(ProjectGathered, TestSpaces);

template <class Space>
void agrees_with_definition(std::size_t tokens, std::size_t rank, std::size_t width, Side side, double beta) {
  const auto gathered = random_matrix<double, Space>(tokens, rank, 1);
  const auto other = random_matrix<double, Space>(tokens, width, 2);
  const bool by_rows = side == Side::rows;
  const auto before = random_matrix<double, Space>(by_rows ? rank : width, by_rows ? width : rank, 3);
  const auto left = to_host(by_rows ? gathered : other), right = to_host(by_rows ? other : gathered);
  const auto kept = to_host(before);
  const auto expected =
      make_matrix<double, Kokkos::HostSpace>(kept.extent(0), kept.extent(1), [&](std::size_t i, std::size_t j) {
        double sum = beta * kept(i, j);
        for (std::size_t t = 0; t < tokens; ++t) sum += left(t, i) * right(t, j);
        return sum;
      });
  project_gathered(Space(), side, gathered, other, beta, before);
  // Partial sums of products below 1 stay below sqrt(tokens) + 2, and there are tokens + 1 roundings.
  const auto terms = static_cast<double>(tokens);
  EXPECT_TRUE(all_close(before, expected, 0, 1.2e-16 * (terms + 1) * (std::sqrt(terms) + 2)));
}

TYPED_TEST(ProjectGathered, AgreesWithDefinition) {
  for (const Side side : {Side::rows, Side::columns})
    for (const double beta : {0.0, 0.5, 1.0})
      for (const std::size_t tokens : {1, 7, 65}) {
        agrees_with_definition<TypeParam>(tokens, 5, 12, side, beta);
        agrees_with_definition<TypeParam>(tokens, 1, 33, side, beta);
      }
}

TYPED_TEST(ProjectGathered, RefusesExtentsThatDoNotFit) {
  const Matrix<float, TypeParam> gathered("gathered", 5, 3), other("other", 6, 4), gradient("gradient", 3, 4);
  EXPECT_THROW(project_gathered(TypeParam(), Side::rows, gathered, other, 0.0F, gradient), ExtentError);
}

}  // namespace
