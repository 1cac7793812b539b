#include <gtest/gtest.h>

#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SquaredNorms.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SquaredNorms : public ::testing::Test {};
TYPED_TEST_SUITE(SquaredNorms, TestSpaces);

VectorParts parts_of(const std::vector<std::size_t>& lengths) {
  VectorParts parts;
  std::size_t end = 0;
  for (const std::size_t length : lengths) parts.ends[static_cast<std::size_t>(parts.count++)] = end += length;
  return parts;
}

template <class Scalar, class Space>
void agrees_with_definition(const std::vector<std::size_t>& lengths) {
  const VectorParts parts = parts_of(lengths);
  const std::size_t count = lengths.size();
  const auto values = random_vector<Scalar, Space>(parts.ends[count - 1], 1);
  const auto partials = poisoned_vector<double, Space>(part_sums_workspace<Space>);
  const auto squares = poisoned_vector<double, Space>(count);
  squared_norms(Space(), values, parts, partials, squares);
  const auto host = to_host(values);
  const auto expected = make_vector<double, Kokkos::HostSpace>(count, [&](std::size_t part) {
    double sum = 0.0;
    for (std::size_t i = parts.begin(static_cast<int>(part)); i < parts.ends[part]; ++i)
      sum += static_cast<double>(host(i)) * static_cast<double>(host(i));
    return sum;
  });
  // Sums of positive terms in double: an error of less than one rounding a term.
  EXPECT_TRUE(all_close(squares, expected, static_cast<double>(parts.ends[count - 1]) * 0x1p-52, 0));
}

TYPED_TEST(SquaredNorms, AgreeWithDefinition) {
  for (const std::vector<std::size_t>& lengths :
       {std::vector<std::size_t>{1}, {3, 1, 4}, {1000, 24, 5461}, {64 * 256, 8, 100000}, {5, 0, 7}}) {
    agrees_with_definition<float, TypeParam>(lengths);
    agrees_with_definition<double, TypeParam>(lengths);
  }
}

TYPED_TEST(SquaredNorms, ShowWhatIsNotFiniteInItsPartAlone) {
  const auto values = random_vector<float, TypeParam>(300, 1);
  Kokkos::deep_copy(Kokkos::subview(values, 150), std::numeric_limits<float>::quiet_NaN());
  const auto partials = poisoned_vector<double, TypeParam>(part_sums_workspace<TypeParam>);
  const auto squares = poisoned_vector<double, TypeParam>(3);
  squared_norms(TypeParam(), values, parts_of({100, 100, 100}), partials, squares);
  const auto host = to_host(squares);
  EXPECT_TRUE(std::isfinite(host(0)));
  EXPECT_FALSE(std::isfinite(host(1)));
  EXPECT_TRUE(std::isfinite(host(2)));
}

TYPED_TEST(SquaredNorms, RefuseExtentsThatDoNotFit) {
  const auto values = random_vector<float, TypeParam>(10, 1);
  const auto partials = poisoned_vector<double, TypeParam>(part_sums_workspace<TypeParam>);
  const auto squares = poisoned_vector<double, TypeParam>(2);
  EXPECT_THROW(squared_norms(TypeParam(), values, parts_of({4, 5}), partials, squares), ExtentError);
  EXPECT_THROW(squared_norms(TypeParam(), values, parts_of({10}), partials, squares), ExtentError);
  EXPECT_THROW(squared_norms(TypeParam(), values, VectorParts{}, partials, squares), std::invalid_argument);
}

}  // namespace
