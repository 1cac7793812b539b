#include <gtest/gtest.h>

#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_Copy.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Copy : public ::testing::Test {};
TYPED_TEST_SUITE(Copy, TestSpaces);

TYPED_TEST(Copy, TakesEveryElement) {
  for (const auto& [m, n] : {std::pair{1, 1}, {1, 2000}, {300, 1}, {17, 33}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    const auto source = random_matrix<float, TypeParam>(rows, columns, 1);
    const auto target = poisoned_matrix<float, TypeParam>(rows, columns);
    const auto wider = poisoned_matrix<double, TypeParam>(rows, columns);
    copy(TypeParam(), source, target);
    copy(TypeParam(), source, wider);
    EXPECT_TRUE(all_close(target, source, 0, 0));
    EXPECT_TRUE(all_close(wider, source, 0, 0));
  }
}

TYPED_TEST(Copy, TakesTwoByteElements) {
  for (const std::size_t columns : {5, 64}) {
    const auto source = random_matrix<BFloat16, TypeParam>(9, columns, 1);
    const auto target = poisoned_matrix<BFloat16, TypeParam>(9, columns);
    const auto wider = poisoned_matrix<float, TypeParam>(9, columns);
    copy(TypeParam(), source, target);
    copy(TypeParam(), source, wider);
    EXPECT_TRUE(all_close(target, source, 0, 0));
    EXPECT_TRUE(all_close(wider, source, 0, 0));
  }
}

TYPED_TEST(Copy, BetweenRangesOfColumns) {
  const auto source = random_matrix<float, TypeParam>(5, 40, 1);
  const auto target = random_matrix<float, TypeParam>(5, 30, 2);
  const auto from = to_host(source), expected = to_host(target);
  for (std::size_t i = 0; i < 5; ++i)
    for (std::size_t j = 0; j < 20; ++j) expected(i, j + 3) = from(i, j + 11);
  copy(TypeParam(), Kokkos::subview(source, Kokkos::ALL, std::pair(11, 31)),
       Kokkos::subview(target, Kokkos::ALL, std::pair(3, 23)));
  EXPECT_TRUE(all_close(target, expected, 0, 0));
}

TYPED_TEST(Copy, RefusesExtentsThatDoNotFit) {
  const Matrix<float, TypeParam> source("source", 3, 4), fewer_rows("fewer_rows", 2, 4), wider("wider", 3, 5);
  EXPECT_THROW(copy(TypeParam(), source, fewer_rows), ExtentError);
  EXPECT_THROW(copy(TypeParam(), source, wider), ExtentError);
}

}  // namespace
