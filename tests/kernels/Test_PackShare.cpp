#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_PackShare.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class PackShare : public ::testing::Test {};
TYPED_TEST_SUITE(PackShare, TestSpaces);

/// Packs a rank's part of a 40 x 300 matrix and compares with where each element is from; what the rank does not have
/// stays.
template <class Space>
void takes_its_part(Side side, const std::vector<int>& numbers, int share, int rank) {
  constexpr int rows = 40, columns = 300;
  const bool takes_all = numbers.empty();
  const auto weight = random_matrix<BFloat16, Space>(rows, columns, 1);
  const auto list = from_list<int, Space>(numbers);
  const WeightShares<Space, Matrix<BFloat16, Space>> shares{weight, side, takes_all, list, share};
  const int slots = takes_all ? columns : static_cast<int>(numbers.size());
  ASSERT_EQ(shares.piece_size(), static_cast<std::size_t>(slots * share));
  const auto piece = random_vector<BFloat16, Space>(shares.piece_size(), 2);
  const auto expected = to_host(piece);
  const auto from = to_host(weight);
  const auto number = [&](int slot) { return takes_all ? slot : numbers[static_cast<std::size_t>(slot)]; };
  for (int slot = 0; slot < slots; ++slot)
    for (int k = 0; k < share; ++k) {
      const int place = rank * share + k;
      if (side == Side::rows && place < columns) expected(slot * share + k) = from(number(slot), place);
      if (side == Side::columns && place < rows) expected(k * slots + slot) = from(place, number(slot));
    }
  pack_share(Space(), shares, rank, piece);
  EXPECT_TRUE(all_close(piece, expected, 0, 0)) << rank << " of " << share;
}

TYPED_TEST(PackShare, TakesTheSelectedElementsOfARanksRowsOrColumns) {
  for (const int rank : {0, 1, 2, 3}) {
    takes_its_part<TypeParam>(Side::rows, {0, 3, 3, 39}, 128, rank);  // of 300 columns rank 2 has 44, and rank 3 none
    takes_its_part<TypeParam>(Side::columns, {5, 5, 5, 17, 299}, 16, rank);
    takes_its_part<TypeParam>(Side::columns, {}, 16, rank);
  }
}

TYPED_TEST(PackShare, RefusesOtherExtents) {
  const auto weight = random_matrix<float, TypeParam>(6, 8, 1);
  const WeightShares<TypeParam, Matrix<float, TypeParam>> shares{weight, Side::columns, true, {}, 3};
  EXPECT_THROW(pack_share(TypeParam(), shares, 0, random_vector<float, TypeParam>(23, 1)), ExtentError);
}

}  // namespace
