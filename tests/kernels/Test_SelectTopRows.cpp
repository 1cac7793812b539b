#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "Sward_NormsOfAllKinds.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SelectTopRows.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SelectTopRows : public ::testing::Test {};
TYPED_TEST_SUITE(SelectTopRows, TestSpaces);

template <class Space, class Scalar>
std::vector<int> top_rows(const std::vector<Scalar>& norms, std::size_t rank) {
  const SelectionMemory<Space> memory(norms.size(), rank);
  select_top_rows(Space(), from_list<Scalar, Space>(norms), memory.workspace(), memory.selection());
  EXPECT_EQ(to_list(memory.scale), std::vector<float>(rank, 1.0F));
  return to_list(memory.rows);
}

/// The first `rank` of a stable sort by falling norm, with what is not finite as the largest, in ascending order.
template <class Scalar>
std::vector<int> sorted_rows(std::vector<Scalar> norms, std::size_t rank) {
  for (Scalar& norm : norms)
    if (!std::isfinite(norm)) norm = std::numeric_limits<Scalar>::infinity();
  std::vector<int> rows(norms.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(), [&](int a, int b) {
    return norms[static_cast<std::size_t>(a)] > norms[static_cast<std::size_t>(b)];
  });
  rows.resize(rank);
  std::sort(rows.begin(), rows.end());
  return rows;
}

TYPED_TEST(SelectTopRows, AgreesWithAStableSort) {
  for (const std::size_t extent : {1, 2, 33, 257, 1000, 5461}) {
    const auto distinct = to_list(random_vector<double, Kokkos::Serial>(extent, extent, 0, 1));
    auto tied = to_list(random_vector<float, Kokkos::Serial>(extent, extent, 0, 9));
    for (float& norm : tied) norm = std::floor(norm);
    for (const std::size_t rank : {std::size_t(1), extent / 3 + 1, extent}) {
      EXPECT_EQ((top_rows<TypeParam>(distinct, rank)), sorted_rows(distinct, rank)) << extent << ", " << rank;
      EXPECT_EQ((top_rows<TypeParam>(tied, rank)), sorted_rows(tied, rank)) << extent << ", " << rank;
    }
  }
}

TYPED_TEST(SelectTopRows, AgreesWhereverTheKeysAre) {
  for (const std::size_t extent : {1, 7, 2048, 4096, 4097, 22016})
    for (const auto& norms : {norms_of_all_kinds(extent), std::vector<double>(extent, 2.5)})
      for (const std::size_t rank :
           {std::size_t(1), extent / 9 + 1, extent / 4 + 1, extent - extent / 8, extent - extent / 16})
        EXPECT_EQ((top_rows<TypeParam>(norms, rank)), sorted_rows(norms, rank)) << extent << ", " << rank;
}

/// Neighbours among the doubles: each differs from the one before in the last bits, in descending and mixed order.
std::vector<double> neighbouring_norms(std::size_t extent) {
  std::vector<double> norms(extent, 0.75);
  for (std::size_t i = 0; i < extent; ++i)
    for (std::size_t k = 0; k < i * 37 % 300; ++k) norms[i] = std::nextafter(norms[i], 1.0);
  return norms;
}

TYPED_TEST(SelectTopRows, TellsNeighbouringNumbersApart) {
  // 300 steps cross a digit of the radix search, and most of the values are there twice.
  const std::vector<double> norms = neighbouring_norms(700);
  for (const std::size_t rank : {1, 2, 255, 256, 257, 699})
    EXPECT_EQ((top_rows<TypeParam>(norms, rank)), sorted_rows(norms, rank)) << rank;
  std::vector<double> of_all_sizes;
  for (int exponent = -1074; exponent < 1024; ++exponent) of_all_sizes.push_back(std::ldexp(1.0, exponent));
  std::reverse(of_all_sizes.begin() + 500, of_all_sizes.end());
  for (const std::size_t rank : {1, 600, 1023, 1024, 2000})
    EXPECT_EQ((top_rows<TypeParam>(of_all_sizes, rank)), sorted_rows(of_all_sizes, rank)) << rank;
}

TYPED_TEST(SelectTopRows, GivesTiesToTheLowerIndex) {
  EXPECT_EQ((top_rows<TypeParam>(std::vector<double>(100, 2.5), 3)), (std::vector<int>{0, 1, 2}));
  EXPECT_EQ((top_rows<TypeParam>(std::vector<double>(100, 0.0), 2)), (std::vector<int>{0, 1}));
  EXPECT_EQ((top_rows<TypeParam>(std::vector<double>{-0.0, 0.0, -0.0, 1.0}, 3)), (std::vector<int>{0, 1, 3}));
  EXPECT_EQ((top_rows<TypeParam>(std::vector<float>{1, 2, 0, 2, 5, 2}, 3)), (std::vector<int>{1, 3, 4}));
}

TYPED_TEST(SelectTopRows, WritesNothingForTiesThatAreTooMany) {
  const SelectionMemory<TypeParam> memory(100, 4);
  auto selection = memory.selection();
  selection.rows = Kokkos::subview(memory.rows, std::pair(0, 3));
  selection.scale = Kokkos::subview(memory.scale, std::pair(0, 3));
  const auto norms = from_list<double, TypeParam>(std::vector<double>(100, 2.5));
  select_top_rows(TypeParam(), norms, memory.workspace(), selection);
  EXPECT_EQ(to_list(memory.rows), (std::vector<int>{0, 1, 2, poison<int>()}));
}

TYPED_TEST(SelectTopRows, TakesRowsThatAreNotFiniteFirst) {
  const double infinity = std::numeric_limits<double>::infinity();
  const double not_a_number = std::numeric_limits<double>::quiet_NaN();
  const double largest = std::numeric_limits<double>::max();
  const std::vector<double> norms = {largest, 1, not_a_number, largest, infinity, 0, not_a_number};
  EXPECT_EQ((top_rows<TypeParam>(norms, 1)), (std::vector<int>{2}));
  EXPECT_EQ((top_rows<TypeParam>(norms, 2)), (std::vector<int>{2, 4}));
  EXPECT_EQ((top_rows<TypeParam>(norms, 3)), (std::vector<int>{2, 4, 6}));
  EXPECT_EQ((top_rows<TypeParam>(norms, 4)), (std::vector<int>{0, 2, 4, 6}));
}

TYPED_TEST(SelectTopRows, RefusesWhatDoesNotFit) {
  const std::vector<double> norms(8, 1.0);
  EXPECT_THROW(top_rows<TypeParam>(norms, 0), std::invalid_argument);
  EXPECT_THROW(top_rows<TypeParam>(norms, 9), std::invalid_argument);
  const SelectionMemory<TypeParam> memory(8, 2), more_rows(9, 2), more_slots(8, 3);
  const auto view = from_list<double, TypeParam>(norms);
  const auto selection = memory.selection();
  auto scale_differs = selection;
  scale_differs.scale = more_slots.scale;
  const Vector<double, TypeParam> more_norms("norms", 9);
  EXPECT_THROW(select_top_rows(TypeParam(), more_norms, memory.workspace(), selection), ExtentError);
  EXPECT_THROW(select_top_rows(TypeParam(), view, more_rows.workspace(), selection), ExtentError);
  EXPECT_THROW(select_top_rows(TypeParam(), view, memory.workspace(), scale_differs), ExtentError);
}

}  // namespace
