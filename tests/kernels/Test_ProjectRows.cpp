#include <gtest/gtest.h>

#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ProjectRows : public ::testing::Test {};
TYPED_TEST_SUITE(ProjectRows, TestSpaces);

/// Factors that would show in the result, were they not to be left out.
template <class Space>
SelectionMemory<Space> selection_of(const std::vector<int>& rows, std::size_t extent, Side side) {
  return given_selection<Space>(rows, std::vector<float>(rows.size(), 3.0F), extent, side);
}

template <class Scalar, class Space>
void takes_the_rows(std::size_t extent, std::size_t other, const std::vector<int>& rows) {
  const auto by_rows = selection_of<Space>(rows, extent, Side::rows);
  const auto by_columns = selection_of<Space>(rows, extent, Side::columns);
  const auto wide = random_matrix<Scalar, Space>(extent, other, 1);
  const auto tall = random_matrix<Scalar, Space>(other, extent, 2);
  const auto from_wide = poisoned_matrix<Scalar, Space>(rows.size(), other);
  const auto from_tall = poisoned_matrix<Scalar, Space>(other, rows.size());
  project_rows(Space(), by_rows.selection(), wide, from_wide);
  project_rows(Space(), by_columns.selection(), tall, from_tall);
  const auto w = to_host(wide);
  const auto t = to_host(tall);
  EXPECT_TRUE(all_close(from_wide,
                        make_matrix<Scalar, Kokkos::HostSpace>(
                            rows.size(), other, [&](std::size_t s, std::size_t j) { return w(rows[s], j); }),
                        0, 0));
  EXPECT_TRUE(all_close(from_tall,
                        make_matrix<Scalar, Kokkos::HostSpace>(
                            other, rows.size(), [&](std::size_t i, std::size_t s) { return t(i, rows[s]); }),
                        0, 0));
}

TYPED_TEST(ProjectRows, TakesTheRowsAsTheyAre) {
  for (const std::size_t other : {1, 33, 64, 700}) {
    takes_the_rows<float, TypeParam>(9, other, {0, 2, 5, 8});
    takes_the_rows<double, TypeParam>(9, other, {0, 0, 7, 7, 7});
    takes_the_rows<float, TypeParam>(1, other, {0});
    takes_the_rows<BFloat16, TypeParam>(9, other, {0, 2, 5, 8});
  }
  std::vector<int> every_second;
  for (int k = 1; k < 1200; k += 2) every_second.push_back(k);
  takes_the_rows<float, TypeParam>(1200, 3, every_second);
}

TYPED_TEST(ProjectRows, RefusesExtentsThatDoNotFit) {
  const auto by_rows = selection_of<TypeParam>({1, 2}, 4, Side::rows);
  const auto by_columns = selection_of<TypeParam>({1, 2}, 4, Side::columns);
  const Matrix<float, TypeParam> wide("wide", 4, 6), tall("tall", 6, 4), two_rows("two_rows", 2, 6),
      two_columns("two_columns", 6, 2);
  EXPECT_THROW(project_rows(TypeParam(), by_rows.selection(), tall, two_rows), ExtentError);
  EXPECT_THROW(project_rows(TypeParam(), by_rows.selection(), wide, two_columns), ExtentError);
  EXPECT_THROW(project_rows(TypeParam(), by_columns.selection(), wide, two_columns), ExtentError);
  EXPECT_THROW(project_rows(TypeParam(), by_columns.selection(), tall, two_rows), ExtentError);
}

}  // namespace
