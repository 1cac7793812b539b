#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_ColumnSlice.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ColumnSliceTest : public ::testing::Test {};
TYPED_TEST_SUITE(ColumnSliceTest, TestSpaces);

constexpr std::size_t rows = 14;
constexpr std::size_t step = 4;  // rows of a team; the last has fewer

template <class Space, class Source>
void write_by_teams(const Source& source, const ColumnSlice<Space, float>& slice) {
  using Member = typename Kokkos::TeamPolicy<Space>::member_type;
  Kokkos::parallel_for(
      "Sward::Test", row_policy(Space(), static_cast<int>((rows + step - 1) / step)),
      KOKKOS_LAMBDA(const Member& team) {
        const int first = team.league_rank() * static_cast<int>(step);
        const int left = static_cast<int>(rows) - first;
        write_slice(team, slice, first, left < static_cast<int>(step) ? left : static_cast<int>(step),
                    [&](const int i, const int j) { return source(first + i, j); });
      });
}

TYPED_TEST(ColumnSliceTest, HoldsTheColumns) {
  for (const std::size_t count : {1, 5, 300}) {
    const auto source = random_matrix<float, TypeParam>(rows, 2 * count, 1);
    const auto columns = make_vector<int, TypeParam>(count, [](std::size_t s) { return static_cast<int>(s / 3 * 5); });
    const auto values = poisoned_matrix<float, TypeParam>(rows, count);
    write_by_teams<TypeParam>(source, {columns, values});
    const auto from = to_host(source);
    const auto expected = make_matrix<float, Kokkos::HostSpace>(
        rows, count, [&](std::size_t i, std::size_t s) { return from(i, s / 3 * 5); });
    EXPECT_TRUE(all_close(values, expected, 0, 0)) << count;
  }
}

TYPED_TEST(ColumnSliceTest, WithoutColumnsIsEmpty) {
  const ColumnSlice<TypeParam, float> none;
  EXPECT_TRUE(none.is_empty());
  EXPECT_NO_THROW(require_slice("function", "slice", none, 7));
  write_by_teams<TypeParam>(random_matrix<float, TypeParam>(rows, 3, 1), none);
  Kokkos::fence("Sward::Test");
}

TYPED_TEST(ColumnSliceTest, RefusesExtentsThatDoNotFit) {
  const Vector<int, TypeParam> columns("columns", 3);
  const Matrix<float, TypeParam> values("values", 7, 3), narrow("narrow", 7, 2);
  EXPECT_NO_THROW(require_slice("function", "slice", ColumnSlice<TypeParam, float>{columns, values}, 7));
  EXPECT_THROW(require_slice("function", "slice", ColumnSlice<TypeParam, float>{columns, values}, 6), ExtentError);
  EXPECT_THROW(require_slice("function", "slice", ColumnSlice<TypeParam, float>{columns, narrow}, 7), ExtentError);
}

}  // namespace
