#include <gtest/gtest.h>

#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_Fill.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Fill : public ::testing::Test {};
TYPED_TEST_SUITE(Fill, TestSpaces);

TYPED_TEST(Fill, SetsEveryElement) {
  for (const std::size_t extent : {1, 33, 64, 5000}) {
    const auto vector = poisoned_vector<int, TypeParam>(extent);
    const auto wide = poisoned_matrix<float, TypeParam>(3, extent);
    const auto narrow = poisoned_matrix<BFloat16, TypeParam>(7, extent);
    const auto tall = poisoned_matrix<double, TypeParam>(extent, 3);
    fill(TypeParam(), vector, -7);
    fill(TypeParam(), wide, 1.5F);
    fill(TypeParam(), narrow, 2.5F);
    fill(TypeParam(), tall, 0.1);
    EXPECT_TRUE(all_close(vector, make_vector<int, Kokkos::HostSpace>(extent, [](auto) { return -7; }), 0, 0));
    EXPECT_TRUE(
        all_close(wide, make_matrix<float, Kokkos::HostSpace>(3, extent, [](auto, auto) { return 1.5; }), 0, 0));
    EXPECT_TRUE(
        all_close(narrow, make_matrix<float, Kokkos::HostSpace>(7, extent, [](auto, auto) { return 2.5; }), 0, 0));
    EXPECT_TRUE(
        all_close(tall, make_matrix<double, Kokkos::HostSpace>(extent, 3, [](auto, auto) { return 0.1; }), 0, 0));
  }
}

TYPED_TEST(Fill, StaysInsideARange) {
  const auto matrix = random_matrix<float, TypeParam>(6, 40, 1);
  const auto vector = random_vector<float, TypeParam>(40, 2);
  const auto expected_matrix = to_host(matrix);
  const auto expected_vector = to_host(vector);
  for (std::size_t j = 3; j < 37; ++j) {
    for (std::size_t i = 2; i < 4; ++i) expected_matrix(i, j) = 8;
    expected_vector(j) = 8;
  }
  fill(TypeParam(), Kokkos::subview(matrix, std::pair(2, 4), std::pair(3, 37)), 8.0F);
  fill_packs<4>(TypeParam(), Kokkos::subview(matrix, std::pair(2, 4), std::pair(4, 36)), 8.0F);
  fill(TypeParam(), Kokkos::subview(vector, std::pair(3, 37)), 8.0F);
  EXPECT_TRUE(all_close(matrix, expected_matrix, 0, 0));
  EXPECT_TRUE(all_close(vector, expected_vector, 0, 0));
}

}  // namespace
