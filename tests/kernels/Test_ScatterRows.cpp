#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_ScatterRows.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ScatterRows : public ::testing::Test {};
TYPED_TEST_SUITE(ScatterRows, TestSpaces);

/// Row i goes to row (5 i + 3) mod 17; the rows that none goes to keep what they had.
template <class Space>
void puts_rows_in_their_places(std::size_t count, std::size_t columns) {
  const auto source = random_matrix<float, Space>(count, columns, 1);
  const auto target = random_matrix<float, Space>(17, columns, 2);
  const auto expected = to_host(target);
  const auto from = to_host(source);
  const Kokkos::View<int*, Kokkos::LayoutRight, Space> rows("rows", count);
  const auto host_rows = Kokkos::create_mirror_view(rows);
  for (std::size_t i = 0; i < count; ++i) {
    host_rows(i) = static_cast<int>((5 * i + 3) % 17);
    for (std::size_t j = 0; j < columns; ++j) expected(static_cast<std::size_t>(host_rows(i)), j) = from(i, j);
  }
  Kokkos::deep_copy(rows, host_rows);
  scatter_rows(Space(), source, rows, target);
  EXPECT_TRUE(all_close(target, expected, 0, 0)) << count << ", " << columns;
}

TYPED_TEST(ScatterRows, PutsRowsInTheirPlaces) {
  for (const std::size_t count : {0, 1, 9, 17})
    for (const std::size_t columns : {1, 40, 513}) puts_rows_in_their_places<TypeParam>(count, columns);
}

TYPED_TEST(ScatterRows, RefusesOtherExtents) {
  const auto source = random_matrix<float, TypeParam>(3, 4, 1);
  const auto target = random_matrix<float, TypeParam>(5, 6, 1);
  const Kokkos::View<int*, Kokkos::LayoutRight, TypeParam> rows("rows", 3);
  EXPECT_THROW(scatter_rows(TypeParam(), source, rows, target), ExtentError);
}

}  // namespace
