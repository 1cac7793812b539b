#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <random>
#include <set>

#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFileContents.hpp"
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

std::vector<std::uint64_t> epoch_order(TokenStream& stream, std::uint64_t epoch, std::uint64_t updates_per_epoch,
                                       std::uint64_t sequences_per_update) {
  std::vector<std::uint64_t> order;
  for (std::uint64_t update = 0; update < updates_per_epoch; ++update) {
    for (std::uint64_t position = 0; position < sequences_per_update; ++position) {
      order.push_back(stream.sequence(epoch * updates_per_epoch + update, position).index);
    }
  }
  return order;
}

TEST(TokenStream, gives_inputs_and_the_targets_one_further) {
  const TemporaryFolder folder;
  TokenStream stream({{counting_file(folder, 25)}}, 4, 2, SequenceOrder::sequential, 1);
  const TokenBatch batch = stream.read(1, 0, 2);
  EXPECT_THAT(batch.inputs, ElementsAre(8, 9, 10, 11, 12, 13, 14, 15));
  EXPECT_THAT(batch.targets, ElementsAre(9, 10, 11, 12, 13, 14, 15, 16));
  const TokenBatch second = stream.read(1, 1, 1);
  EXPECT_THAT(second.inputs, ElementsAre(12, 13, 14, 15));
}

TEST(TokenStream, starts_again_after_the_last_whole_update) {
  const TemporaryFolder folder;
  TokenStream stream({{counting_file(folder, 29)}}, 4, 3, SequenceOrder::sequential, 0);
  EXPECT_EQ(stream.sequence(1, 2).index, 5U);
  EXPECT_EQ(stream.sequence(2, 0).index, 0U);
  EXPECT_EQ(stream.read(3, 0, 3).inputs, stream.read(1, 0, 3).inputs);
  EXPECT_THROW(stream.sequence(0, 3), std::out_of_range);
}

TEST(TokenStream, shuffles_anew_every_epoch_by_the_seed_alone) {
  const TemporaryFolder folder;
  const auto file = counting_file(folder, 4001);
  TokenStream stream({{file}}, 4, 10, SequenceOrder::shuffled, 7);
  const std::vector<std::uint64_t> first = epoch_order(stream, 0, 100, 10);
  const std::vector<std::uint64_t> second = epoch_order(stream, 1, 100, 10);
  EXPECT_NE(first, second);
  for (const auto& order : {first, second}) {
    EXPECT_EQ(std::set<std::uint64_t>(order.begin(), order.end()).size(), 1000U);
    EXPECT_EQ(*std::max_element(order.begin(), order.end()), 999U);
  }
  TokenStream same({{file}}, 4, 10, SequenceOrder::shuffled, 7);
  EXPECT_EQ(epoch_order(same, 1, 100, 10), second);
  EXPECT_EQ(epoch_order(same, 0, 100, 10), first);
  TokenStream other({{file}}, 4, 10, SequenceOrder::shuffled, 7 + (std::uint64_t{1} << 32));
  EXPECT_NE(epoch_order(other, 0, 100, 10), first);
}

TEST(TokenStream, has_one_order_for_every_size_of_update) {
  const TemporaryFolder folder;
  const auto file = counting_file(folder, 401);
  TokenStream small({{file}}, 4, 5, SequenceOrder::shuffled, 3);
  TokenStream large({{file}}, 4, 20, SequenceOrder::shuffled, 3);
  EXPECT_EQ(epoch_order(small, 0, 20, 5), epoch_order(large, 0, 5, 20));
}

TEST(TokenStream, names_a_file_shorter_than_one_update) {
  const TemporaryFolder folder;
  const auto file = counting_file(folder, 12);
  const auto create = [&] { TokenStream({{file}}, 4, 3, SequenceOrder::shuffled, 0); };
  EXPECT_THAT(message_of<InputError>(create), HasSubstr("tokens.h5: /tokens: 12 tokens hold 2 sequences of length 4"));
  EXPECT_NO_THROW(TokenStream({{file}}, 4, 2, SequenceOrder::shuffled, 0));
  EXPECT_THROW(TokenStream({{counting_file(folder, 0)}}, 4, 1, SequenceOrder::sequential, 0), InputError);
  EXPECT_THROW(TokenStream({{file}}, 0, 1, SequenceOrder::sequential, 0), std::invalid_argument);
  EXPECT_THROW(TokenStream({{file}}, 4, 0, SequenceOrder::sequential, 0), std::invalid_argument);
}

TEST(TokenStream, refuses_a_token_outside_the_vocabulary) {
  const TemporaryFolder folder;
  Hdf5File out = Hdf5File::create(folder / "a.h5");
  out.write<std::uint16_t>("/tokens", std::vector<std::uint16_t>{1, 2, 3, 4, 9, 1, 1});
  out.write_attribute("/", "format_version", std::int64_t{1});
  out.write_attribute("/", "vocab_size", std::int64_t{9});
  out.write_attribute("/", "tokenizer", std::string_view("none"));
  out.close();
  TokenStream stream({{std::make_shared<const TokenFile>(folder / "a.h5")}}, 3, 1, SequenceOrder::sequential, 0);
  EXPECT_NO_THROW(stream.read(0, 0, 1));
  EXPECT_THAT(message_of<InputError>([&] { stream.read(1, 0, 1); }), HasSubstr("token 9 at position 4"));
}

std::shared_ptr<const TokenFile> file_of(const std::filesystem::path& path, const TokenFileContents& contents) {
  contents.write(path);
  return std::make_shared<const TokenFile>(path);
}

std::vector<std::uint32_t> numbers_from(std::uint32_t first, std::size_t count) {
  std::vector<std::uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST(TokenStream, targets_that_the_mask_leaves_out_are_minus_one) {
  const TemporaryFolder folder;
  std::mt19937 engine(4);
  TokenFileContents contents{numbers_from(0, 41), 100};
  contents.loss_mask.emplace(41);
  for (std::uint8_t& value : *contents.loss_mask) value = static_cast<std::uint8_t>(engine() % 2);
  TokenStream stream({{file_of(folder / "a.h5", contents)}}, 5, 4, SequenceOrder::shuffled, 9);
  EXPECT_TRUE(stream.has_loss_mask());
  for (std::uint64_t update = 0; update < 4; ++update) {
    const TokenBatch batch = stream.read(update, 0, 4);
    ASSERT_EQ(batch.targets.size(), 20U);
    for (std::size_t i = 0; i < 20; ++i) {
      // Token and position are the same number.
      const std::int32_t target = batch.inputs[i] + 1;
      EXPECT_EQ(batch.targets[i], (*contents.loss_mask)[static_cast<std::size_t>(target)] == 1 ? target : -1);
    }
  }
}

/// Files of 7, 20 and 3 sequences of 4 tokens; tokens of file f start at 1000 f.
std::vector<TokenSource> three_files(const TemporaryFolder& folder) {
  std::vector<TokenSource> sources;
  const std::vector<std::size_t> counts{29, 83, 13};
  const std::vector<double> weights{0.5, 0.2, 0.3};
  for (std::uint32_t f = 0; f < 3; ++f) {
    const TokenFileContents contents{numbers_from(1000 * f, counts[f]), 10'000};
    sources.push_back({file_of(folder / ("file" + std::to_string(f) + ".h5"), contents), weights[f]});
  }
  return sources;
}

TEST(TokenStream, a_mixture_has_its_proportions_and_whole_epochs_of_each_file) {
  const TemporaryFolder folder;
  for (const SequenceOrder order : {SequenceOrder::shuffled, SequenceOrder::sequential}) {
    TokenStream stream(three_files(folder), 4, 6, order, 3);
    std::vector<std::vector<std::uint64_t>> indices(3);
    for (std::uint64_t update = 0; update < 100; ++update) {
      const TokenBatch batch = stream.read(update, 0, 6);
      for (std::size_t s = 0; s < 6; ++s) {
        const auto first = static_cast<std::uint64_t>(batch.inputs[4 * s]);
        indices.at(first / 1000).push_back(first % 1000 / 4);
        for (std::size_t t = 0; t < 4; ++t) EXPECT_EQ(batch.targets[4 * s + t], batch.inputs[4 * s] + 1 + int(t));
      }
    }
    const std::vector<std::size_t> sequences{7, 20, 3};
    const std::vector<std::size_t> wanted{300, 120, 180};
    for (std::size_t f = 0; f < 3; ++f) {
      ASSERT_EQ(indices[f].size(), wanted[f]);
      for (std::size_t i = 0; i + sequences[f] <= wanted[f]; i += sequences[f]) {
        const auto begin = indices[f].begin() + static_cast<std::ptrdiff_t>(i);
        std::vector<std::uint64_t> epoch(begin, begin + static_cast<std::ptrdiff_t>(sequences[f]));
        if (order == SequenceOrder::sequential || sequences[f] > 3) {  // of three, one order in six is sorted
          EXPECT_EQ(std::is_sorted(epoch.begin(), epoch.end()), order == SequenceOrder::sequential) << "file " << f;
        }
        std::sort(epoch.begin(), epoch.end());
        for (std::size_t k = 0; k < epoch.size(); ++k) EXPECT_EQ(epoch[k], k) << "file " << f;
      }
    }
  }
}

TEST(TokenStream, a_mixture_goes_on_anywhere_and_is_the_same_for_any_share) {
  const TemporaryFolder folder;
  const std::vector<TokenSource> sources = three_files(folder);
  TokenStream whole(sources, 4, 6, SequenceOrder::shuffled, 3);
  std::vector<std::vector<std::int32_t>> inputs;
  for (std::uint64_t update = 0; update < 60; ++update) inputs.push_back(whole.read(update, 0, 6).inputs);
  for (const std::uint64_t update : {59U, 31U, 0U}) {
    TokenStream resumed(sources, 4, 6, SequenceOrder::shuffled, 3);
    EXPECT_EQ(resumed.read(update, 0, 6).inputs, inputs[update]);
  }
  for (const std::uint64_t share : {1U, 2U, 3U}) {
    TokenStream stream(sources, 4, 6, SequenceOrder::shuffled, 3);
    for (std::uint64_t update = 0; update < 60; ++update) {
      std::vector<std::int32_t> joined;
      for (std::uint64_t first = 0; first < 6; first += share)
        for (const std::int32_t token : stream.read(update, first, share).inputs) joined.push_back(token);
      EXPECT_EQ(joined, inputs[update]);
    }
  }
  TokenStream other(sources, 4, 6, SequenceOrder::shuffled, 4);
  EXPECT_NE(other.read(0, 0, 6).inputs, inputs[0]);
}

/// The error for a first file of ten tokens beside another one.
std::string mixture_error(const TokenFileContents& first, const TokenFileContents& second) {
  const TemporaryFolder folder;
  const std::vector<TokenSource> sources{{file_of(folder / "a.h5", first)}, {file_of(folder / "b.h5", second)}};
  return message_of<InputError>([&] { TokenStream(sources, 4, 8, SequenceOrder::shuffled, 0); });
}

TEST(TokenStream, names_files_that_cannot_be_mixed) {
  const TokenFileContents good{numbers_from(0, 10), 50};
  EXPECT_EQ(mixture_error(good, good), "no exception");
  TokenFileContents bad = good;
  bad.vocab_size = 51;
  EXPECT_THAT(mixture_error(good, bad), HasSubstr("b.h5: vocab_size is 50 in one, 51 in the other"));
  bad = good;
  bad.tokenizer = "bytes";
  EXPECT_THAT(mixture_error(good, bad), HasSubstr("b.h5: tokenizer is \"none\" in one, \"bytes\" in the other"));
  bad = good;
  bad.tokenizer_model = "model";
  EXPECT_EQ(mixture_error(good, bad), "no exception");
  TokenFileContents other = good;
  other.tokenizer_model = "mould";
  EXPECT_THAT(mixture_error(other, bad), HasSubstr("b.h5: /tokenizer_model differs"));
  bad = good;
  bad.tokens.resize(4);
  EXPECT_THAT(mixture_error(good, bad), HasSubstr("b.h5: /tokens: 4 tokens hold 0 sequences of length 4"));
  bad = good;
  bad.loss_mask = std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 0, 0, 0, 1};  // neither is a target of a whole sequence
  EXPECT_THAT(mixture_error(good, bad), HasSubstr("b.h5: /loss_mask: no target counts"));
  (*bad.loss_mask)[8] = 1;
  EXPECT_EQ(mixture_error(good, bad), "no exception");
}

/// The first token of the document of token `position`, by looking at every start.
std::uint64_t document_of(const std::vector<std::uint64_t>& starts, std::uint64_t position) {
  std::uint64_t found = 0;
  for (const std::uint64_t start : starts)
    if (start <= position) found = std::max(found, start);
  return found;
}

TEST(TokenStream, says_where_each_tokens_document_begins) {
  const TemporaryFolder folder;
  std::mt19937 engine(6);
  for (int trial = 0; trial < 20; ++trial) {
    TokenFileContents contents{numbers_from(0, 201), 1000};
    contents.document_starts = std::vector<std::uint64_t>{0};
    for (int i = trial; i > 0; --i) contents.document_starts->push_back(engine() % 201);
    std::sort(contents.document_starts->begin(), contents.document_starts->end());
    const auto file = file_of(folder / "a.h5", contents);
    TokenStream stream({{file}}, 20, 5, SequenceOrder::shuffled, 3, true);
    const TokenBatch batch = stream.read(1, 0, 5);
    ASSERT_EQ(batch.document_first.size(), 100U);
    for (std::size_t i = 0; i < 100; ++i) {
      const auto sequence_begin = static_cast<std::uint64_t>(batch.inputs[i / 20 * 20]);
      const std::uint64_t begin = document_of(*contents.document_starts, static_cast<std::uint64_t>(batch.inputs[i]));
      const std::uint64_t wanted = begin < sequence_begin ? 0 : begin - sequence_begin;
      EXPECT_EQ(batch.document_first[i], static_cast<std::int32_t>(wanted)) << "trial " << trial << " input " << i;
    }
    TokenStream unmarked({{file}}, 20, 5, SequenceOrder::shuffled, 3);
    EXPECT_TRUE(unmarked.read(1, 0, 5).document_first.empty());
  }
}

TEST(TokenStream, names_a_file_that_does_not_say_where_documents_start) {
  const TemporaryFolder folder;
  TokenFileContents contents{numbers_from(0, 20), 100};
  contents.document_starts = std::vector<std::uint64_t>{0, 7};
  const auto with = file_of(folder / "a.h5", contents);
  contents.document_starts.reset();
  const auto without = file_of(folder / "b.h5", contents);
  const auto create = [&](bool mark) { TokenStream({{with}, {without}}, 4, 2, SequenceOrder::shuffled, 0, mark); };
  EXPECT_NO_THROW(create(false));
  EXPECT_THAT(message_of<InputError>([&] { create(true); }), HasSubstr("b.h5: /document_starts: is missing"));
}

}  // namespace
}  // namespace Sward::Test
