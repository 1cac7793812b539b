#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <set>

#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFileWriter.hpp"
#include "Sward_TokenStream.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Token i is i, so that every token shows where it comes from.
std::shared_ptr<const TokenFile> counting_file(const TemporaryFolder& folder, std::uint32_t count) {
  std::vector<std::uint32_t> tokens(count);
  std::iota(tokens.begin(), tokens.end(), 0U);
  TokenFileWriter writer(folder / "tokens.h5", 100'000, "none", "");
  writer.append(tokens);
  writer.commit();
  return std::make_shared<const TokenFile>(folder / "tokens.h5");
}

std::vector<std::uint64_t> epoch_order(TokenStream& stream, std::uint64_t epoch, std::uint64_t sequences_per_update) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t update = 0; update < stream.updates_per_epoch(); ++update) {
    for (std::uint64_t position = 0; position < sequences_per_update; ++position) {
      order.push_back(stream.sequence_index(epoch * stream.updates_per_epoch() + update, position));
    }
  }
  return order;
}

TEST(TokenStream, gives_inputs_and_the_targets_one_further) {
  const TemporaryFolder folder;
  TokenStream stream(counting_file(folder, 25), 4, 2, SequenceOrder::sequential, 1);
  EXPECT_EQ(stream.sequence_count(), 6U);
  EXPECT_EQ(stream.updates_per_epoch(), 3U);
  const TokenBatch batch = stream.read(1, 0, 2);
  EXPECT_THAT(batch.inputs, ElementsAre(8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(batch.targets, ElementsAre(9, 10, 11, 12, 13, 14, 15, 16));
  const TokenBatch second = stream.read(1, 1, 1);
  EXPECT_THAT(second.inputs, ElementsAre(12, 13, 14, 15));
}

TEST(TokenStream, counts_sequences_with_their_last_target) {
  const TemporaryFolder folder;
  EXPECT_EQ(TokenStream(counting_file(folder, 24), 4, 1, SequenceOrder::sequential, 0).sequence_count(), 5U);
  EXPECT_EQ(TokenStream(counting_file(folder, 25), 4, 1, SequenceOrder::sequential, 0).sequence_count(), 6U);
}

TEST(TokenStream, starts_again_after_the_last_whole_update) {
  const TemporaryFolder folder;
  TokenStream stream(counting_file(folder, 29), 4, 3, SequenceOrder::sequential, 0);
  EXPECT_EQ(stream.sequence_count(), 7U);
  EXPECT_EQ(stream.updates_per_epoch(), 2U);
  EXPECT_EQ(stream.epoch(1), 0U);
  EXPECT_EQ(stream.epoch(2), 1U);
  EXPECT_EQ(stream.sequence_index(1, 2), 5U);
  EXPECT_EQ(stream.sequence_index(2, 0), 0U);
  EXPECT_EQ(stream.read(3, 0, 3).inputs, stream.read(1, 0, 3).inputs);
  EXPECT_THROW(stream.sequence_index(0, 3), std::out_of_range);
}

TEST(TokenStream, shuffles_anew_every_epoch_by_the_seed_alone) {
  const TemporaryFolder folder;
  const auto file = counting_file(folder, 4001);
  TokenStream stream(file, 4, 10, SequenceOrder::shuffled, 7);
  const std::vector<std::uint64_t> first = epoch_order(stream, 0, 10);
  const std::vector<std::uint64_t> second = epoch_order(stream, 1, 10);
  EXPECT_NE(first, second);
  for (const auto& order : {first, second}) {
    EXPECT_EQ(std::set<std::uint64_t>(order.begin(), order.end()).size(), 1000U);
    EXPECT_EQ(*std::max_element(order.begin(), order.end()), 999U);
  }
  TokenStream same(file, 4, 10, SequenceOrder::shuffled, 7);
  EXPECT_EQ(epoch_order(same, 1, 10), second);
  EXPECT_EQ(epoch_order(same, 0, 10), first);
  TokenStream other(file, 4, 10, SequenceOrder::shuffled, 7 + (std::uint64_t{1} << 32));
  EXPECT_NE(epoch_order(other, 0, 10), first);
}

TEST(TokenStream, has_one_order_for_every_size_of_update) {
  const TemporaryFolder folder;
  const auto file = counting_file(folder, 401);
  TokenStream small(file, 4, 5, SequenceOrder::shuffled, 3);
  TokenStream large(file, 4, 20, SequenceOrder::shuffled, 3);
  EXPECT_EQ(epoch_order(small, 0, 5), epoch_order(large, 0, 20));
}

TEST(TokenStream, names_a_file_shorter_than_one_update) {
  const TemporaryFolder folder;
  const auto file = counting_file(folder, 12);
  const auto create = [&] { TokenStream(file, 4, 3, SequenceOrder::shuffled, 0); };
  EXPECT_THAT(message_of<InputError>(create), HasSubstr("tokens.h5: /tokens: 12 tokens hold 2 sequences of length 4"));
  EXPECT_NO_THROW(TokenStream(file, 4, 2, SequenceOrder::shuffled, 0));
  EXPECT_THROW(TokenStream(counting_file(folder, 0), 4, 1, SequenceOrder::sequential, 0), InputError);
  EXPECT_THROW(TokenStream(file, 0, 1, SequenceOrder::sequential, 0), std::invalid_argument);
  EXPECT_THROW(TokenStream(file, 4, 0, SequenceOrder::sequential, 0), std::invalid_argument);
}

TEST(TokenStream, refuses_a_token_outside_the_vocabulary) {
  const TemporaryFolder folder;
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.write<std::uint16_t>("/tokens", std::vector<std::uint16_t>{1, 2, 3, 4, 9, 1, 1});
  out.write_attribute("/", "format_version", std::int64_t{1});
  out.write_attribute("/", "vocab_size", std::int64_t{9});
  out.write_attribute("/", "tokenizer", std::string_view("none"));
  out.close();
  TokenStream stream(std::make_shared<const TokenFile>(folder / "a.h5"), 3, 1, SequenceOrder::sequential, 0);
  EXPECT_NO_THROW(stream.read(0, 0, 1));
  EXPECT_THAT(message_of<InputError>([&] { stream.read(1, 0, 1); }), HasSubstr("token 9 at position 4"));
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
