#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_FindKeptSlots.hpp"
#include "Sward_MoveSlots.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class MoveSlots : public ::testing::Test {};
TYPED_TEST_SUITE(MoveSlots, TestSpaces);

/// `count` different numbers below `extent`, in order.
std::vector<int> random_rows(int extent, int count, std::mt19937_64& engine) {
  std::vector<int> all(static_cast<std::size_t>(extent));
  std::iota(all.begin(), all.end(), 0);
  std::shuffle(all.begin(), all.end(), engine);
  all.resize(static_cast<std::size_t>(count));
  std::sort(all.begin(), all.end());
  return all;
}

/// Where each row was, by looking at all of them; -1 for one that is new.
std::vector<int> places_before(const std::vector<int>& before, const std::vector<int>& rows) {
  std::vector<int> places;
  for (const int row : rows) {
    const auto place = std::find(before.begin(), before.end(), row);
    places.push_back(place == before.end() ? -1 : static_cast<int>(place - before.begin()));
  }
  return places;
}

template <class Space>
std::vector<int> places_by_kernel(const std::vector<int>& before, const std::vector<int>& rows) {
  const auto source = poisoned_vector<int, Space>(rows.size());
  find_kept_slots(Space(), from_list<int, Space>(before), from_list<int, Space>(rows), source);
  return to_list(source);
}

/// Moves what a matrix has in slots that are its rows, or its columns, and compares with a copy into another matrix.
template <class Scalar, class Space>
void moves_as_a_copy_would(const std::vector<int>& source, std::size_t other) {
  const auto places = from_list<int, Space>(source);
  const auto wide = random_matrix<Scalar, Space>(source.size(), other, 1);
  const auto tall = random_matrix<Scalar, Space>(other, source.size(), 2);
  const auto w = to_host(wide);
  const auto t = to_host(tall);
  const auto from = [&](std::size_t slot) { return static_cast<std::size_t>(source[slot]); };
  move_slots(Space(), Side::rows, places, wide);
  move_slots(Space(), Side::columns, places, tall);
  const auto moved_wide = make_matrix<Scalar, Kokkos::HostSpace>(
      source.size(), other, [&](std::size_t s, std::size_t j) { return source[s] < 0 ? Scalar(0.0F) : w(from(s), j); });
  const auto moved_tall = make_matrix<Scalar, Kokkos::HostSpace>(
      other, source.size(), [&](std::size_t i, std::size_t s) { return source[s] < 0 ? Scalar(0.0F) : t(i, from(s)); });
  EXPECT_TRUE(all_close(wide, moved_wide, 0, 0));
  EXPECT_TRUE(all_close(tall, moved_tall, 0, 0));
}

TYPED_TEST(MoveSlots, FollowRowsThatStayAndZeroNewOnes) {
  std::mt19937_64 engine(7);
  for (const auto& [extent, rank] : {std::pair(1, 1), {9, 4}, {40, 33}, {40, 40}, {700, 150}}) {
    for (int trial = 0; trial < 8; ++trial) {
      const std::vector<int> before = random_rows(extent, rank, engine);
      const std::vector<int> rows = random_rows(extent, rank, engine);
      const std::vector<int> source = places_by_kernel<TypeParam>(before, rows);
      ASSERT_EQ(source, places_before(before, rows));
      moves_as_a_copy_would<float, TypeParam>(source, 5);
      moves_as_a_copy_would<double, TypeParam>(source, 1);
      moves_as_a_copy_would<BFloat16, TypeParam>(source, 66);
    }
  }
}

TYPED_TEST(MoveSlots, FindNoneInAListThatHoldsNothingYet) {
  EXPECT_EQ(places_by_kernel<TypeParam>({0, 0, 0}, {1, 4, 8}), (std::vector<int>{-1, -1, -1}));
}

TYPED_TEST(MoveSlots, RefuseExtentsThatDoNotFit) {
  const Vector<int, TypeParam> three("three", 3), four("four", 4);
  const Matrix<float, TypeParam> values("values", 3, 4);
  EXPECT_THROW(find_kept_slots(TypeParam(), three, four, three), ExtentError);
  EXPECT_THROW(find_kept_slots(TypeParam(), three, three, four), ExtentError);
  EXPECT_THROW(move_slots(TypeParam(), Side::rows, four, values), ExtentError);
  EXPECT_THROW(move_slots(TypeParam(), Side::columns, three, values), ExtentError);
}

}  // namespace
