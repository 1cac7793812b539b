#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <stdexcept>

#include "Sward_EpochOrder.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

std::vector<std::uint64_t> epoch_of(EpochOrder& order, std::uint64_t epoch, std::uint64_t length) {
  std::vector<std::uint64_t> indices;
  for (std::uint64_t i = 0; i < length; ++i) indices.push_back(order.index(epoch * length + i));
  return indices;
}

TEST(EpochOrder, sequential_starts_again_from_the_front) {
  EpochOrder order(7, 6, SequenceOrder::sequential, 3, 0);
  for (std::uint64_t place = 0; place < 20; ++place) EXPECT_EQ(order.index(place), place % 6);
}

TEST(EpochOrder, shuffled_has_every_sequence_once_an_epoch) {
  EpochOrder order(50, 50, SequenceOrder::shuffled, 3, 0);
  std::set<std::vector<std::uint64_t>> orders;
  for (std::uint64_t epoch = 0; epoch < 4; ++epoch) {
    const std::vector<std::uint64_t> indices = epoch_of(order, epoch, 50);
    EXPECT_EQ(std::set<std::uint64_t>(indices.begin(), indices.end()).size(), 50U);
    EXPECT_EQ(*std::max_element(indices.begin(), indices.end()), 49U);
    orders.insert(indices);
  }
  EXPECT_EQ(orders.size(), 4U);
}

TEST(EpochOrder, a_short_epoch_is_the_front_of_the_whole_ones_order) {
  EpochOrder order(50, 48, SequenceOrder::shuffled, 3, 2);
  for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
    const std::vector<std::uint32_t> whole = shuffled_indices(50, 3, epoch, 2);
    EXPECT_EQ(epoch_of(order, epoch, 48), std::vector<std::uint64_t>(whole.begin(), whole.begin() + 48));
  }
}

TEST(EpochOrder, does_not_depend_on_what_was_asked_before) {
  EpochOrder in_turn(9, 9, SequenceOrder::shuffled, 3, 0);
  std::vector<std::uint64_t> wanted;
  for (std::uint64_t place = 0; place < 200; ++place) wanted.push_back(in_turn.index(place));
  EpochOrder anywhere(9, 9, SequenceOrder::shuffled, 3, 0);
  std::mt19937 engine(1);
  for (int i = 0; i < 500; ++i) {
    const std::uint64_t place = engine() % 200;
    EXPECT_EQ(anywhere.index(place), wanted[place]);
  }
}

TEST(EpochOrder, files_of_one_seed_have_orders_of_their_own) {
  EXPECT_EQ(shuffled_indices(100, 3, 1), shuffled_indices(100, 3, 1, 0));
  EXPECT_NE(shuffled_indices(100, 3, 1, 0), shuffled_indices(100, 3, 1, 1));
  EpochOrder first(100, 100, SequenceOrder::shuffled, 3, 0);
  EpochOrder second(100, 100, SequenceOrder::shuffled, 3, 1);
  EXPECT_NE(epoch_of(first, 0, 100), epoch_of(second, 0, 100));
}

TEST(EpochOrder, refuses_an_epoch_of_nothing_or_of_more_than_there_is) {
  EXPECT_THROW(EpochOrder(5, 0, SequenceOrder::sequential, 0, 0), std::invalid_argument);
  EXPECT_THROW(EpochOrder(5, 6, SequenceOrder::sequential, 0, 0), std::invalid_argument);
}

TEST(shuffled_indices, are_a_permutation_with_every_order_about_equally_often) {
  EXPECT_TRUE(shuffled_indices(0, 1, 2).empty());
  EXPECT_THAT(shuffled_indices(1, 1, 2), ElementsAre(0));
  // 24 orders, 24,000 epochs: counts have mean 1000 and a deviation of about 31, so 6 deviations are 190.
  std::map<std::vector<std::uint32_t>, int> counts;
  for (std::uint64_t epoch = 0; epoch < 24'000; ++epoch) ++counts[shuffled_indices(4, 11, epoch)];
  EXPECT_EQ(counts.size(), 24U);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 1000, 190);
}

TEST(shuffled_indices, do_not_change_between_versions) {
  // A resumed run has to meet the order that the interrupted one had.
  EXPECT_THAT(shuffled_indices(8, 42, 0), ElementsAre(4, 7, 0, 1, 6, 5, 2, 3));
}

}  // namespace
}  // namespace Sward::Test
