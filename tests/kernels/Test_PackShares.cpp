#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_PackShares.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class PackShares : public ::testing::Test {};
TYPED_TEST_SUITE(PackShares, TestSpaces);

/// Packs the parts that some ranks have of a 40 x 300 matrix and compares with where each element is from; it is 0
/// where a rank has nothing.
template <class Piece, class Space>
void takes_the_parts(Side side, const std::vector<int>& numbers, int share, int first, int ranks) {
  constexpr int rows = 40, columns = 300;
  const bool takes_all = numbers.empty();
  const auto matrix = random_matrix<float, Space>(rows, columns, 1);
  const auto list = from_list<int, Space>(numbers);
  const WeightShares<Space, Matrix<float, Space>> shares{matrix, side, takes_all, list, share};
  const int all = side == Side::rows ? rows : columns;
  const int slots = takes_all ? all : static_cast<int>(numbers.size());
  ASSERT_EQ(shares.piece_size(), static_cast<std::size_t>(slots * share));
  const auto pieces = poisoned_matrix<Piece, Space>(static_cast<std::size_t>(ranks), shares.piece_size());
  const auto expected = to_host(pieces);
  Kokkos::deep_copy(expected, Piece(0.0F));
  const auto from = to_host(matrix);
  const auto number = [&](int slot) { return takes_all ? slot : numbers[static_cast<std::size_t>(slot)]; };
  for (int p = 0; p < ranks; ++p)
    for (int slot = 0; slot < slots; ++slot)
      for (int k = 0; k < share; ++k) {
        const int place = (first + p) * share + k;
        if (side == Side::rows && place < columns) expected(p, slot * share + k) = Piece(from(number(slot), place));
        if (side == Side::columns && place < rows) expected(p, k * slots + slot) = Piece(from(place, number(slot)));
      }
  pack_shares(Space(), shares, first, pieces);
  EXPECT_TRUE(all_close(pieces, expected, 0, 0)) << first << " of " << share;
}

TYPED_TEST(PackShares, TakesTheElementsOfRanksRowsOrColumns) {
  for (const auto& [first, ranks] : {std::pair(0, 1), {1, 1}, {2, 1}, {3, 1}, {0, 4}, {2, 2}}) {
    // Of 300 columns rank 2 has 44, and rank 3 none.
    takes_the_parts<float, TypeParam>(Side::rows, {0, 3, 3, 39}, 128, first, ranks);
    takes_the_parts<float, TypeParam>(Side::columns, {5, 5, 5, 17, 299}, 16, first, ranks);
    takes_the_parts<BFloat16, TypeParam>(Side::rows, {}, 128, first, ranks);
    takes_the_parts<BFloat16, TypeParam>(Side::columns, {}, 16, first, ranks);
  }
}

TYPED_TEST(PackShares, RefusesOtherExtents) {
  const auto matrix = random_matrix<float, TypeParam>(6, 8, 1);
  const WeightShares<TypeParam, Matrix<float, TypeParam>> shares{matrix, Side::columns, true, {}, 3};
  EXPECT_THROW(pack_shares(TypeParam(), shares, 0, random_matrix<float, TypeParam>(1, 23, 1)), ExtentError);
}

}  // namespace
