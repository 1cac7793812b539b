#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RowNorms : public ::testing::Test {};
TYPED_TEST_SUITE(RowNorms, TestSpaces);

template <class Scalar, class Norm, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, double tolerance) {
  const auto values = random_matrix<Scalar, Space>(rows, columns, 1, -3, 3);
  const auto by_row = poisoned_vector<Norm, Space>(rows);
  const auto by_column = poisoned_vector<Norm, Space>(columns);
  row_norms(Space(), values, Side::rows, by_row);
  row_norms(Space(), values, Side::columns, by_column);
  const auto x = to_host(values);
  const auto expected_by_row = make_vector<double, Kokkos::HostSpace>(rows, [&](std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) sum += std::pow(static_cast<double>(x(i, j)), 2);
    return std::sqrt(sum);
  });
  const auto expected_by_column = make_vector<double, Kokkos::HostSpace>(columns, [&](std::size_t j) {
    double sum = 0;
    for (std::size_t i = 0; i < rows; ++i) sum += std::pow(static_cast<double>(x(i, j)), 2);
    return std::sqrt(sum);
  });
  EXPECT_TRUE(all_close(by_row, expected_by_row, tolerance, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(by_column, expected_by_column, tolerance, 0)) << rows << ", " << columns;
}

TYPED_TEST(RowNorms, AgreesWithDefinition) {
  for (const auto& [m, n] : {std::pair{1, 1}, {3, 7}, {33, 5}, {8, 1057}, {300, 64}, {2000, 3}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    // 2000 additions in double, of which half the relative error is left; then rounding to the norm's type.
    agrees_with_definition<float, double, TypeParam>(rows, columns, 3e-13);
    agrees_with_definition<double, double, TypeParam>(rows, columns, 3e-13);
    agrees_with_definition<BFloat16, double, TypeParam>(rows, columns, 3e-13);
    agrees_with_definition<float, float, TypeParam>(rows, columns, 6.1e-8);
  }
}

TYPED_TEST(RowNorms, ReadPacks) {
  const auto values = random_matrix<float, TypeParam>(21, 1000, 1);
  const auto by_row = poisoned_vector<double, TypeParam>(21), in_packs = poisoned_vector<double, TypeParam>(21);
  row_norms(TypeParam(), values, Side::rows, by_row);
  row_norms_of_packs<4>(TypeParam(), values, in_packs);
  EXPECT_TRUE(all_close(in_packs, by_row, 2e-13, 0));
}

TYPED_TEST(RowNorms, HaveTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs add in another, also fixed, order";
  const auto values = random_matrix<float, TypeParam>(600, 1300, 5);
  const auto serial_values = random_matrix<float, Kokkos::Serial>(600, 1300, 5);
  for (const Side side : {Side::rows, Side::columns}) {
    const std::size_t extent = side == Side::rows ? 600 : 1300;
    const auto norms = poisoned_vector<double, TypeParam>(extent);
    const auto serial_norms = poisoned_vector<double, Kokkos::Serial>(extent);
    row_norms(TypeParam(), values, side, norms);
    row_norms(Kokkos::Serial(), serial_values, side, serial_norms);
    EXPECT_TRUE(all_close(norms, serial_norms, 0, 0));
  }
}

TYPED_TEST(RowNorms, LargeValuesDoNotOverflow) {
  const auto values = make_matrix<float, TypeParam>(4, 9, [](auto, auto) { return 1e30f; });
  const auto by_row = poisoned_vector<double, TypeParam>(4), by_column = poisoned_vector<double, TypeParam>(9);
  row_norms(TypeParam(), values, Side::rows, by_row);
  row_norms(TypeParam(), values, Side::columns, by_column);
  const auto value = static_cast<double>(1e30f);
  EXPECT_TRUE(all_close(by_row, make_vector<double, Kokkos::HostSpace>(4, [&](auto) { return 3 * value; }), 1e-15, 0));
  EXPECT_TRUE(
      all_close(by_column, make_vector<double, Kokkos::HostSpace>(9, [&](auto) { return 2 * value; }), 1e-15, 0));
}

TYPED_TEST(RowNorms, ValuesThatAreNotFiniteShow) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    const auto values = make_matrix<float, TypeParam>(
        4, 50, [&](std::size_t i, std::size_t j) { return i == 2 && j == 40 ? bad : 1.0f; });
    const auto by_row = poisoned_vector<double, TypeParam>(4), by_column = poisoned_vector<double, TypeParam>(50);
    row_norms(TypeParam(), values, Side::rows, by_row);
    row_norms(TypeParam(), values, Side::columns, by_column);
    const auto rows = to_host(by_row), columns = to_host(by_column);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(std::isfinite(rows(i)), i != 2);
    for (std::size_t j = 0; j < 50; ++j) EXPECT_EQ(std::isfinite(columns(j)), j != 40);
  }
}

TYPED_TEST(RowNorms, RefusesExtentsThatDoNotFit) {
  const auto values = random_matrix<float, TypeParam>(4, 6, 1);
  const auto four = poisoned_vector<double, TypeParam>(4), six = poisoned_vector<double, TypeParam>(6);
  EXPECT_THROW(row_norms(TypeParam(), values, Side::rows, six), ExtentError);
  EXPECT_THROW(row_norms(TypeParam(), values, Side::columns, four), ExtentError);
}

}  // namespace
