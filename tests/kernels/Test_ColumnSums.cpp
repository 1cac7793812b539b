#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_ColumnSums.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ColumnSums : public ::testing::Test {};
TYPED_TEST_SUITE(ColumnSums, TestSpaces);

/// Sums (row + 1) times the element, so that rows cannot be mistaken for each other, and counts the calls of store.
template <class Space, class Values, class Sums, class Calls>
void weighted_sums(const Values& values, const Sums& sums, const Calls& calls) {
  column_sums(
      "weighted_sums", Space(), static_cast<int>(values.extent(0)), static_cast<int>(values.extent(1)),
      KOKKOS_LAMBDA(const int i, const int j) { return (i + 1) * static_cast<double>(values(i, j)); },
      KOKKOS_LAMBDA(const int j, const double sum) {
        sums(j) = sum;
        Kokkos::atomic_inc(&calls(j));
      });
}

TYPED_TEST(ColumnSums, AddsEveryRowAndStoresEveryColumnOnce) {
  for (const auto& [m, n] : {std::pair{0, 5}, {1, 1}, {7, 31}, {8, 32}, {9, 33}, {65, 64}, {3, 1000}, {1000, 3}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    const auto values = random_matrix<float, TypeParam>(rows, columns, 1, 0, 1);
    const auto sums = poisoned_vector<double, TypeParam>(columns);
    const Vector<int, TypeParam> calls("calls", columns);
    weighted_sums<TypeParam>(values, sums, calls);
    const auto host = to_host(values);
    const auto expected = make_vector<double, Kokkos::HostSpace>(columns, [&](std::size_t j) {
      double sum = 0;
      for (std::size_t i = 0; i < rows; ++i) sum += static_cast<double>(i + 1) * static_cast<double>(host(i, j));
      return sum;
    });
    const auto once = make_vector<int, Kokkos::HostSpace>(columns, [](auto) { return 1; });
    // Positive terms: a rounding of each product and addition, on both sides.
    EXPECT_TRUE(all_close(sums, expected, static_cast<double>(2 * rows + 2) * 1.2e-16, 0)) << rows << ", " << columns;
    EXPECT_TRUE(all_close(calls, once, 0, 0)) << rows << ", " << columns;
  }
}

template <class Space>
Vector<double, Space> sums_of_random_values() {
  const auto sums = poisoned_vector<double, Space>(100);
  const Vector<int, Space> calls("calls", 100);
  weighted_sums<Space>(random_matrix<float, Space>(3000, 100, 1), sums, calls);
  return sums;
}

TYPED_TEST(ColumnSums, HaveTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs add in another, also fixed, order";
  EXPECT_TRUE(all_close(sums_of_random_values<TypeParam>(), sums_of_random_values<Kokkos::Serial>(), 0, 0));
}

TYPED_TEST(ColumnSums, HaveTheSameBitsEveryTime) {
  const auto first = sums_of_random_values<TypeParam>();
  for (int repetition = 0; repetition < 3; ++repetition)
    EXPECT_TRUE(all_close(sums_of_random_values<TypeParam>(), first, 0, 0));
}

}  // namespace
