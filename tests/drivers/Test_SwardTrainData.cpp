#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "Sward_TokenFileContents.hpp"
#include "Sward_TrainingFolder.hpp"

// What sward-train makes of loss masks and of mixtures of token files.

namespace Sward::Test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::size_t length = 8;

CommandResult expect_finished(const std::string& command) {
  CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
  return result;
}

std::vector<json> updates_of(const std::filesystem::path& output) {
  std::vector<json> lines;
  for (const std::string& line : lines_of(read_file(output / "metrics.jsonl"))) {
    const json parsed = json::parse(line);
    if (parsed.contains("loss")) lines.push_back(parsed);
  }
  return lines;
}

/// Four sequences whose first 7, 0, 3 and 8 targets do not count, as if they were prompts.
TokenFileContents masked_contents() {
  TokenFileContents contents{random_tokens(4 * length + 1, TrainingFolder::vocabulary, 9), TrainingFolder::vocabulary};
  contents.loss_mask.emplace(contents.tokens.size(), 1);
  const std::vector<std::size_t> prompts{7, 0, 3, 8};
  for (std::size_t s = 0; s < 4; ++s)
    for (std::size_t t = 1; t <= prompts[s]; ++t) (*contents.loss_mask)[s * length + t] = 0;
  return contents;
}

/// Sum of the losses of a sequence's first `count` targets: sward-evaluate on a file that ends with them.
double prefix_loss(const TrainingFolder& folder, const std::vector<std::uint32_t>& tokens, std::size_t sequence,
                   std::size_t count) {
  if (count == 0) return 0.0;
  const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(sequence * length);
  write_token_file(folder / "prefix.h5", {begin, begin + static_cast<std::ptrdiff_t>(count) + 1},
                   TrainingFolder::vocabulary);
  const CommandResult result =
      expect_finished(program("sward-evaluate") + " --checkpoint " + folder.checkpoint(4, "start").string() +
                      " --data " + (folder / "prefix.h5").string() + " --sequence-length " + std::to_string(count));
  const std::vector<std::string> lines = lines_with(result.output, "validation_loss ");
  return lines.empty() ? 0.0 : static_cast<double>(count) * std::stod(lines[0].substr(16));
}

TEST(SwardTrainData, AMaskedUpdatesLossIsTheMeanOverTheTargetsThatCount) {
  const TrainingFolder folder;
  const TokenFileContents contents = masked_contents();
  contents.write(folder / "masked.h5");
  expect_finished(folder.train({folder.output_setting("start")}));
  // The reference has no masks: what counts is the loss of a whole sequence less that of its prompt.
  const double wanted = (prefix_loss(folder, contents.tokens, 0, 8) - prefix_loss(folder, contents.tokens, 0, 7) +
                         prefix_loss(folder, contents.tokens, 1, 8) + prefix_loss(folder, contents.tokens, 2, 8) -
                         prefix_loss(folder, contents.tokens, 2, 3)) /
                        14.0;
  struct Division {
    int ranks;
    int micro;
  };
  std::vector<json> first;
  for (const Division division : {Division{1, 4}, {1, 2}, {1, 1}, {2, 2}, {2, 1}, {4, 1}}) {
    const std::string output = "out-" + std::to_string(division.ranks) + "-" + std::to_string(division.micro);
    expect_finished(
        folder.train({folder.output_setting(output), "data.train=" + (folder / "masked.h5").string(),
                      "data.order=sequential", "model.initial=" + folder.checkpoint(4, "start").string(),
                      "schedule.steps=2", "batch.micro=" + std::to_string(division.micro), "optimizer.method=adamw"},
                     "", division.ranks));
    const std::vector<json> updates = updates_of(folder / output);
    ASSERT_EQ(updates.size(), 2U);
    if (first.empty()) first = updates;
    // Losses near 3.5 in single precision: some 4e-7 each, and less in their mean.
    EXPECT_NEAR(updates[0]["loss"].get<double>(), wanted, 2e-6) << output;
    for (std::size_t step = 0; step < 2; ++step) {
      const double norm = first[step]["gradient_norm"];
      EXPECT_NEAR(updates[step]["gradient_norm"].get<double>(), norm, 1e-5 * norm) << output;
      EXPECT_NEAR(updates[step]["loss"].get<double>(), first[step]["loss"].get<double>(), 1e-4) << output;
    }
  }
}

TEST(SwardTrainData, AMaskOfOnesChangesNoBit) {
  const TrainingFolder folder;
  TokenFileContents contents{random_tokens(1000, TrainingFolder::vocabulary, 1), TrainingFolder::vocabulary};
  contents.loss_mask.emplace(1000, 1);
  contents.write(folder / "ones.h5");
  expect_finished(folder.train({folder.output_setting("plain")}));
  expect_finished(folder.train({folder.output_setting("ones"), "data.train=" + (folder / "ones.h5").string()}));
  EXPECT_EQ(state_of(folder.checkpoint(4, "ones")), state_of(folder.checkpoint(4, "plain")));
}

TEST(SwardTrainData, AnUpdateInWhichNothingCountsEndsTheRun) {
  const TrainingFolder folder;
  TokenFileContents contents{random_tokens(8 * length + 1, TrainingFolder::vocabulary, 9), TrainingFolder::vocabulary};
  contents.loss_mask.emplace(contents.tokens.size(), 1);
  // Targets of the second update's sequences are the tokens 33 to 64.
  std::fill(contents.loss_mask->begin() + 33, contents.loss_mask->end(), std::uint8_t{0});
  contents.write(folder / "masked.h5");
  for (const int ranks : {1, 2}) {
    const CommandResult result =
        run_for_errors(folder.train({folder.output_setting("out-" + std::to_string(ranks)), "data.order=sequential",
                                     "data.train=" + (folder / "masked.h5").string(), "output.checkpoint_interval=1"},
                                    "", ranks));
    EXPECT_EQ(result.status, 1);
    const std::vector<std::string> lines = lines_with(result.output, "sward-train: ");
    ASSERT_EQ(lines.size(), 1U) << result.output;
    EXPECT_EQ(lines[0],
              "sward-train: step 2: by /loss_mask no target counts in its sequences, 4 to 7 of the run; raise "
              "'batch.sequences'");
    EXPECT_EQ(list_checkpoints(folder / ("out-" + std::to_string(ranks))).size(), 1U);
  }
}

TEST(SwardTrainData, AMaskedValidationFileGivesTheLossOfSwardEvaluate) {
  const TrainingFolder folder;
  masked_contents().write(folder / "masked.h5");
  const std::string masked = (folder / "masked.h5").string();
  expect_finished(folder.train({"data.validation=" + masked}));
  const json line = json::parse(lines_of(read_file(folder / "out/metrics.jsonl")).back());
  const CommandResult result =
      expect_finished(program("sward-evaluate") + " --checkpoint " + folder.checkpoint(4).string() + " --data " +
                      masked + " --sequence-length " + std::to_string(length));
  EXPECT_NEAR(std::stod(result.output.substr(16)), line["validation_loss"].get<double>(), 1e-6);
}

/// The settings of a mixture of the folder's training file and a small one that starts over again and again.
std::vector<std::string> mixture(const TrainingFolder& folder, std::vector<std::string> more) {
  write_token_file(folder / "small.h5", random_tokens(5 * length + 1, TrainingFolder::vocabulary, 4),
                   TrainingFolder::vocabulary);
  more.push_back("data.train=[{path=\"" + (folder / "train.h5").string() + "\", weight=0.6}, {path=\"" +
                 (folder / "small.h5").string() + "\", weight=0.4}]");
  more.push_back("batch.micro=1");
  return more;
}

class SwardTrainMixture : public ::testing::TestWithParam<int> {};

TEST_P(SwardTrainMixture, GoesOnInTheMiddleAsIfItHadNeverStopped) {
  const TrainingFolder folder;
  expect_finished(folder.train(mixture(folder, {folder.output_setting("whole"), "schedule.steps=9"}), "", GetParam()));
  expect_finished(folder.train(mixture(folder, {"schedule.steps=5"}), "", GetParam()));
  expect_finished(folder.train(mixture(folder, {"schedule.steps=9"}), "--resume auto", GetParam()));
  EXPECT_EQ(state_of(folder.checkpoint(9)), state_of(folder.checkpoint(9, "whole")));
}

INSTANTIATE_TEST_SUITE_P(Ranks, SwardTrainMixture, ::testing::Values(1, 2));

TEST(SwardTrainData, AMixtureIsTheSameOnAnyNumberOfRanks) {
  const TrainingFolder folder;
  std::vector<json> first;
  for (const int ranks : {1, 2, 4}) {
    const std::string output = "out-" + std::to_string(ranks);
    // Without learning, so that each update's loss shows its data alone.
    expect_finished(folder.train(
        mixture(folder, {folder.output_setting(output), "schedule.steps=7", "optimizer.learning_rate=0"}), "", ranks));
    const std::vector<json> updates = updates_of(folder / output);
    ASSERT_EQ(updates.size(), 7U);
    if (first.empty()) first = updates;
    for (std::size_t step = 0; step < 7; ++step)
      EXPECT_NEAR(updates[step]["loss"].get<double>(), first[step]["loss"].get<double>(), 1e-6);
    EXPECT_GT(std::abs(updates[0]["loss"].get<double>() - updates[1]["loss"].get<double>()), 1e-5);
  }
}

TEST(SwardTrainData, WhatCannotBeTrainedOnIsRefusedInOneLineAndNothingIsWritten) {
  const TrainingFolder folder;
  TokenFileContents contents = masked_contents();
  contents.loss_mask->at(30) = 2;
  contents.write(folder / "two.h5");
  contents.loss_mask->assign(contents.tokens.size(), 0);
  contents.write(folder / "zeros.h5");
  contents.loss_mask.reset();
  contents.write(folder / "starts-missing.h5");
  contents.vocab_size = 31;
  contents.tokens.assign(contents.tokens.size(), 1);
  contents.write(folder / "narrow.h5");
  const std::string train = (folder / "train.h5").string();
  const auto file = [&](const std::string& name) { return (folder / name).string(); };
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"data.train=" + file("two.h5")}, file("two.h5") + ": /loss_mask: 2 at position 30 is neither 0 nor 1"},
      {{"data.train=" + file("zeros.h5")}, file("zeros.h5") + ": /loss_mask: no target counts"},
      {{"data.validation=" + file("zeros.h5")}, file("zeros.h5") + ": /loss_mask: no target counts"},
      {{"data.attention=document", "data.train=" + file("starts-missing.h5")},
       file("starts-missing.h5") + ": /document_starts: is missing"},
      {{"data.attention=document", "data.validation=" + file("starts-missing.h5")},
       file("starts-missing.h5") + ": /document_starts: is missing"},
      {{"data.train=[{path=\"" + train + "\", weight=1}, {path=\"" + file("narrow.h5") + "\", weight=1}]"},
       train + " and " + file("narrow.h5") + ": vocab_size is 32 in one, 31 in the other"}};
  const auto before = snapshot(folder.path());
  for (const auto& [settings, wanted] : cases) {
    const CommandResult result = run_for_errors(folder.train(settings));
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
    EXPECT_THAT(result.output, HasSubstr(wanted));
    EXPECT_EQ(snapshot(folder.path()), before);
  }
}

}  // namespace
}  // namespace Sward::Test
