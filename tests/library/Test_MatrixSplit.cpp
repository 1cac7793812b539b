#include <gtest/gtest.h>

#include <vector>

#include "Sward_MatrixSplit.hpp"

namespace Sward::Test {
namespace {

std::vector<std::size_t> extents(const MatrixSplit& split, int ranks) {
  std::vector<std::size_t> list;
  for (int rank = 0; rank < ranks; ++rank) {
    const MatrixPart part = split.part(rank);
    list.push_back(split.along == Side::rows ? part.rows : part.columns);
  }
  return list;
}

TEST(MatrixSplit, GivesEqualSharesOfWholeMultiplesAndTheRestToTheLast) {
  using List = std::vector<std::size_t>;
  EXPECT_EQ(extents(split_matrix(96, 7, Side::rows, {0, 3}, 16), 3), (List{32, 32, 32}));
  EXPECT_EQ(extents(split_matrix(97, 7, Side::rows, {0, 3}, 16), 3), (List{48, 48, 1}));
  EXPECT_EQ(extents(split_matrix(7, 40, Side::columns, {0, 4}, 16), 4), (List{16, 16, 8, 0}));
  EXPECT_EQ(extents(split_matrix(7, 600, Side::columns, {0, 2}, 256), 2), (List{512, 88}));
}

TEST(MatrixSplit, LeavesSmallMatricesAndSingleRanksWhole) {
  for (const MatrixSplit& split :
       {split_matrix(16, 40, Side::rows, {0, 2}, 16), split_matrix(40, 50, Side::rows, {0, 1}, 16),
        split_matrix(300, 256, Side::columns, {0, 8}, 256)}) {
    EXPECT_FALSE(split.is_split());
    EXPECT_EQ(split.part(0).rows, split.rows);
    EXPECT_EQ(split.part(0).columns, split.columns);
  }
}

TEST(MatrixSplit, PartsCoverEveryElementOnce) {
  for (const Side along : {Side::rows, Side::columns}) {
    const MatrixSplit split = split_matrix(41, 35, along, {0, 4}, 16);
    ASSERT_TRUE(split.is_split());
    std::vector<int> seen(41 * 35);
    for (int rank = 0; rank < 4; ++rank) {
      std::size_t next = 0;
      split.for_each_row(rank, [&](std::size_t in_whole, std::size_t in_part, std::size_t count) {
        EXPECT_EQ(in_part, next);
        next += count;
        for (std::size_t i = 0; i < count; ++i) ++seen[in_whole + i];
      });
    }
    EXPECT_EQ(seen, std::vector<int>(41 * 35, 1));
  }
}

}  // namespace
}  // namespace Sward::Test
