#include <gtest/gtest.h>

#include <algorithm>

#include "Sward_AllClose.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"
#include "Sward_UnpackShares.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class UnpackShares : public ::testing::Test {};
TYPED_TEST_SUITE(UnpackShares, TestSpaces);

/// Element (i, j) of the weight on the rank that has updated it.
float updated(int i, int j) { return static_cast<float>(1000 * i + j); }

/// Pieces with the elements that ranks have, and NaN beyond, in rows of a wider matrix; then every selected element of
/// a 40 x 300 matrix is as its rank has it, but for those of rank `own`, and all others stay.
template <class Space>
void puts_parts_in_their_places(Side side, const std::vector<int>& numbers, int share, int ranks, int own) {
  constexpr int rows = 40, columns = 300, before = 3;
  const bool takes_all = numbers.empty();
  const auto weight = random_matrix<float, Space>(rows, columns, 1);
  const auto list = from_list<int, Space>(numbers);
  const WeightShares<Space, Matrix<float, Space>> shares{weight, side, takes_all, list, share};
  const int all = side == Side::rows ? rows : columns;
  const int slots = takes_all ? all : static_cast<int>(numbers.size());
  const auto size = static_cast<int>(shares.piece_size());
  const auto wide = poisoned_matrix<float, Space>(static_cast<std::size_t>(ranks), shares.piece_size() + before);
  const auto pieces = Kokkos::subview(wide, Kokkos::ALL, std::pair(before, before + size));
  const auto host = to_host(wide);
  const auto expected = to_host(weight);
  const auto set = [&](int rank, int place, int i, int j) {
    host(rank, before + place) = updated(i, j);
    if (rank != own) expected(i, j) = updated(i, j);
  };
  for (int rank = 0; rank < ranks; ++rank)
    for (int slot = 0; slot < slots; ++slot)
      for (int k = 0; k < share; ++k) {
        const int number = takes_all ? slot : numbers[static_cast<std::size_t>(slot)];
        const int place = rank * share + k;
        if (side == Side::rows && place < columns) set(rank, slot * share + k, number, place);
        if (side == Side::columns && place < rows) set(rank, k * slots + slot, place, number);
      }
  Kokkos::deep_copy(wide, host);
  unpack_shares(Space(), shares, own, pieces);
  EXPECT_TRUE(all_close(weight, expected, 0, 0)) << own << " of " << ranks;
}

TYPED_TEST(UnpackShares, PutsThePartsOfOtherRanksInTheirPlaces) {
  for (const int own : {0, 1, 3, from_all_ranks}) {
    puts_parts_in_their_places<TypeParam>(Side::rows, {0, 3, 3, 39}, 128, 4, own);
    puts_parts_in_their_places<TypeParam>(Side::columns, {5, 5, 5, 17, 299}, 16, 4, own);
    puts_parts_in_their_places<TypeParam>(Side::columns, {}, 16, 4, own);
    puts_parts_in_their_places<TypeParam>(Side::rows, {}, 128, 4, own);
  }
  puts_parts_in_their_places<TypeParam>(Side::columns, {}, 48, 1, 0);
}

TYPED_TEST(UnpackShares, RefusesOtherExtents) {
  const auto weight = random_matrix<float, TypeParam>(6, 8, 1);
  const WeightShares<TypeParam, Matrix<float, TypeParam>> shares{weight, Side::columns, true, {}, 3};
  EXPECT_THROW(unpack_shares(TypeParam(), shares, 0, random_matrix<float, TypeParam>(2, 23, 1)), ExtentError);
}

}  // namespace
