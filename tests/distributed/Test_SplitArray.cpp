#include <gtest/gtest.h>

#include <numeric>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_SplitArray.hpp"

namespace Sward::Test {
namespace {

TEST(SplitArray, WhatIsTakenApartComesTogetherOnRankZero) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  for (const Side along : {Side::rows, Side::columns}) {
    const MatrixSplit split = split_matrix(37, 45, along, {group.rank(), group.size()}, 16);
    std::vector<float> whole(37 * 45);
    std::iota(whole.begin(), whole.end(), 1.0F);
    const std::vector<float> part = take_part(split, group.rank(), whole);
    const MatrixPart box = split.part(group.rank());
    ASSERT_EQ(part.size(), box.rows * box.columns);
    for (std::size_t i = 0; i < box.rows; ++i)
      for (std::size_t j = 0; j < box.columns; ++j)
        EXPECT_EQ(part[i * box.columns + j], static_cast<float>((box.first_row + i) * 45 + box.first_column + j + 1));
    if (!split.is_split()) continue;
    const std::vector<float> gathered = gather_whole(group, split, std::span<const float>(part));
    EXPECT_EQ(gathered, group.rank() == 0 ? whole : std::vector<float>());
  }
}

TEST(SplitArray, NoticesARankThatGivesSomethingElse) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  if (group.size() == 1) GTEST_SKIP() << "one rank gives what it has";
  const MatrixSplit split = split_matrix(37, 45, Side::rows, {group.rank(), group.size()}, 16);
  const MatrixPart box = split.part(group.rank());
  const std::vector<float> part(box.rows * box.columns + (group.rank() == group.size() - 1 ? 1 : 0));
  const auto gather = [&] { gather_whole(group, split, std::span<const float>(part)); };
  if (group.rank() == 0)
    EXPECT_THROW(gather(), CommunicationError);
  else
    EXPECT_NO_THROW(gather());
}

}  // namespace
}  // namespace Sward::Test
