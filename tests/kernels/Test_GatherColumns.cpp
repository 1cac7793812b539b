#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class GatherColumns : public ::testing::Test {};
TYPED_TEST_SUITE(GatherColumns, TestSpaces);

template <class Scalar, class Space>
void takes_the_columns(std::size_t rows, std::size_t count) {
  const std::size_t extent = 2 * count + 3;
  const auto source = random_matrix<Scalar, Space>(rows, extent, 1);
  const auto columns = make_vector<int, Space>(count, [&](std::size_t s) { return static_cast<int>(2 * s + s % 3); });
  const auto target = poisoned_matrix<Scalar, Space>(rows, count);
  const auto of_rows = poisoned_matrix<Scalar, Space>(rows, count);
  gather_columns("Sward::Test", Space(), columns, source, target);
  gather_columns_of_rows("Sward::Test", Space(), columns, source, of_rows);
  const auto from = to_host(source);
  const auto expected = make_matrix<Scalar, Kokkos::HostSpace>(
      rows, count, [&](std::size_t i, std::size_t s) { return from(i, 2 * s + s % 3); });
  EXPECT_TRUE(all_close(target, expected, 0, 0)) << rows << ", " << count;
  EXPECT_TRUE(all_close(of_rows, expected, 0, 0)) << rows << ", " << count;
}

TYPED_TEST(GatherColumns, TakesTheColumns) {
  for (const std::size_t rows : {1, 8, 29})
    for (const std::size_t count : {1, 64, 300}) {
      takes_the_columns<BFloat16, TypeParam>(rows, count);
      takes_the_columns<float, TypeParam>(rows, count);
      takes_the_columns<double, TypeParam>(rows, count);
    }
}

}  // namespace
