#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileContents.hpp"
#include "Sward_TrainSentencePiece.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

const std::string golden = golden_folder("tiny-adamw").string();
const std::string golden_tokens = (golden_folder("tiny-adamw") / "tokens.h5").string();

std::string evaluate(const std::string& checkpoint, const std::string& data, int length, const std::string& rest = "",
                     int ranks = 1) {
  return on_ranks(ranks, program("sward-evaluate") + " --checkpoint " + checkpoint + " --data " + data +
                             " --sequence-length " + std::to_string(length) + " " + rest);
}

struct Printed {
  double loss = 0.0;
  double perplexity = 0.0;
  std::string digits;
};

/// What the program's line says; the command must finish.
Printed printed_by(const std::string& command) {
  const CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 0) << result.output;
  const std::vector<std::string> lines = lines_with(result.output, "validation_loss ");
  EXPECT_EQ(lines.size(), 1U) << result.output;
  std::istringstream stream(lines.empty() ? "" : lines[0]);
  std::string word;
  std::string loss;
  Printed printed;
  stream >> word >> loss >> word >> printed.perplexity;
  EXPECT_EQ(word, "validation_perplexity") << result.output;
  printed.loss = std::stod(loss);
  printed.digits = loss;
  return printed;
}

TEST(SwardEvaluate, AgreesWithHuggingFaceOnTheFirstUpdatesSequences) {
  const auto expected = nlohmann::json::parse(read_file(golden_folder("tiny-adamw") / "expected.json"));
  const std::uint64_t length = expected["T"];
  const std::uint64_t sequences = expected["B"];
  // The reference trained in order, so its first loss is the mean over the file's first sequences.
  const TemporaryFolder folder;
  write_token_file(folder / "first.h5", TokenFile(golden_tokens).read(0, sequences * length + 1), expected["V"]);
  const Printed printed = printed_by(evaluate(golden, (folder / "first.h5").string(), static_cast<int>(length)));
  EXPECT_NEAR(printed.loss, expected["log"][0]["loss"].get<double>(), 1e-5);
  EXPECT_NEAR(printed.perplexity, std::exp(printed.loss), 1e-6);
  EXPECT_GE(printed.digits.size(), std::string("4.1234567").size());
}

TEST(SwardEvaluate, DoesNotDependOnBatchRanksOrKindOfModelFile) {
  const TemporaryFolder folder;
  const std::string checkpoint = (folder / "model.h5").string();
  ASSERT_EQ(run_command(program("sward-convert") + " " + golden + " " + checkpoint).status, 0);
  const Printed first = printed_by(evaluate(golden, golden_tokens, 24));
  EXPECT_EQ(printed_by(evaluate(checkpoint, golden_tokens, 24)).digits, first.digits);
  EXPECT_NEAR(printed_by(evaluate(checkpoint, golden_tokens, 24, "--sequences 5")).loss, first.loss, 1e-6);
  EXPECT_NEAR(printed_by(evaluate(checkpoint, golden_tokens, 24, "--sequences 3", 3)).loss, first.loss, 1e-6);
  EXPECT_GT(std::abs(printed_by(evaluate(checkpoint, golden_tokens, 7)).loss - first.loss), 1e-6);
}

TEST(SwardEvaluate, WeighsEveryTargetAlikeOnAnyNumberOfRanks) {
  const TemporaryFolder folder;
  TokenFileContents contents{TokenFile(golden_tokens).read(0, 300), 97};
  contents.write(folder / "plain.h5");
  contents.loss_mask.emplace();
  // Few targets count in the first half and many in the second, so that a mean of means would be another number.
  for (std::size_t i = 0; i < contents.tokens.size(); ++i)
    contents.loss_mask->push_back(i < 150 ? (i % 7 == 0 ? 1 : 0) : (i % 7 == 0 ? 0 : 1));
  contents.write(folder / "masked.h5");
  std::vector<double> losses;
  for (const char* name : {"plain.h5", "masked.h5"}) {
    const std::string data = (folder / name).string();
    losses.push_back(printed_by(evaluate(golden, data, 24, "--sequences 1")).loss);
    for (const int ranks : {1, 2, 3})
      for (const int sequences : {1, 3, 5, 12, 13})
        // Single precision losses near 5 carry errors of some 5e-7 each, and less in their mean.
        EXPECT_NEAR(printed_by(evaluate(golden, data, 24, "--sequences " + std::to_string(sequences), ranks)).loss,
                    losses.back(), 5e-7)
            << name << ", " << ranks << " ranks, " << sequences << " sequences a pass";
  }
  EXPECT_GT(std::abs(losses[0] - losses[1]), 1e-3);
}

TEST(SwardEvaluate, PrintsALineForEachOfSeveralFiles) {
  const TemporaryFolder folder;
  write_token_file(folder / "short.h5", TokenFile(golden_tokens).read(100, 80), 97);
  const std::string other = (folder / "short.h5").string();
  for (const int ranks : {1, 2}) {
    const CommandResult result = run_command(evaluate(golden, golden_tokens + " " + other, 24, "", ranks));
    EXPECT_EQ(result.status, 0) << result.output;
    std::string wanted;
    for (const std::string& data : {golden_tokens, other})
      wanted += data + " " +
                lines_with(run_command(evaluate(golden, data, 24, "", ranks)).output, "validation_loss ")[0] + "\n";
    EXPECT_EQ(result.output, wanted);
    EXPECT_EQ(run_command(evaluate(golden, golden_tokens + " --data " + other, 24, "", ranks)).output, wanted);
  }
  // Nothing is printed for a good file before a bad one.
  write_token_file(folder / "short.h5", {1, 2, 3}, 97);
  for (const auto& [bad, wanted] : {std::pair<std::string, std::string>("no/tokens.h5", "no such file"),
                                    {other, "is shorter than one sequence of 24 tokens and its target"}}) {
    const CommandResult result = run_command(evaluate(golden, golden_tokens + " " + bad, 24));
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.output, "sward-evaluate: " + bad + ": " + wanted + "\n");
  }
}

TEST(SwardEvaluate, IsWhatTrainingReportsAsValidationLoss) {
  const TrainingFolder folder;
  ASSERT_EQ(run_command(folder.train()).status, 0);
  const std::string last = lines_of(read_file(folder / "out/metrics.jsonl")).back();
  const auto line = nlohmann::json::parse(last);
  const Printed printed = printed_by(evaluate(folder.checkpoint(4).string(), (folder / "validation.h5").string(), 8));
  EXPECT_NEAR(printed.loss, line["validation_loss"].get<double>(), 1e-6);
  EXPECT_NEAR(printed.perplexity, line["validation_perplexity"].get<double>(), 1e-4);
}

/// A trained model of bytes, and a token file that says so.
class ByteModel {
 public:
  ByteModel() {
    write_token_file(folder_ / "bytes.h5", random_tokens(1000, 258, 3), 258, "bytes");
    const auto train = folder_.train({"model.vocab_size=258", "data.train=" + data(), "data.validation=" + data()});
    EXPECT_EQ(run_command(train).status, 0);
  }
  std::string data() const { return (folder_ / "bytes.h5").string(); }
  std::string evaluate_with(const std::string& rest, int ranks = 1) const {
    return evaluate(folder_.checkpoint(4).string(), data(), 8, rest, ranks);
  }
  std::string sample_with(const std::string& rest, int ranks = 1) const {
    const CommandResult result = run_command(evaluate_with("--sample " + rest, ranks));
    EXPECT_EQ(result.status, 0) << result.output;
    const std::size_t begin = result.output.find("sample:\n");
    return begin == std::string::npos ? "none" : result.output.substr(begin + 8);
  }

 private:
  TrainingFolder folder_;
};

TEST(SwardEvaluate, SamplesTheSameTextForTheSameSeed) {
  const ByteModel model;
  const std::string first = model.sample_with("--prompt abc --seed 4 --sample-tokens 40");
  EXPECT_EQ(first.substr(0, 3), "abc");
  EXPECT_GT(first.size(), 10U);
  EXPECT_EQ(model.sample_with("--prompt abc --seed 4 --sample-tokens 40"), first);
  EXPECT_EQ(model.sample_with("--prompt abc --seed 4 --sample-tokens 40", 2), first);
  EXPECT_NE(model.sample_with("--prompt abc --seed 5 --sample-tokens 40"), first);
  EXPECT_EQ(model.sample_with("--temperature 0 --seed 1"), model.sample_with("--temperature 0 --seed 2"));
  EXPECT_EQ(model.sample_with("--temperature 9 --top-k 1"), model.sample_with("--temperature 0"));
  EXPECT_NE(model.sample_with("--temperature 9 --top-k 2"), model.sample_with("--temperature 9 --top-k 0"));
}

std::string sample_of(const std::string& command) {
  const CommandResult result =
      run_command(command + " --sample --temperature 0 --sample-tokens 30 --prompt 'the river'");
  EXPECT_EQ(result.status, 0) << result.output;
  const std::size_t begin = result.output.find("sample:\n");
  return begin == std::string::npos ? "none" : result.output.substr(begin + 8);
}

TEST(SwardEvaluate, TakesTheTokenizerBesideTheWeightsWhereTheTokenFileHasNone) {
  const TrainingFolder folder;
  const TemporaryFolder models;
  const std::string tokenizer = train_sentencepiece(models);
  ASSERT_EQ(run_command(folder.train({"model.vocab_size=320"})).status, 0);
  const std::string hf = (models / "hf").string();
  ASSERT_EQ(run_command(program("sward-convert") + " " + folder.checkpoint(4).string() + " " + hf).status, 0);
  const std::string data = (folder / "train.h5").string();
  const std::string wanted = sample_of(evaluate(hf, data, 8, "--tokenizer " + tokenizer));
  EXPECT_EQ(wanted.substr(0, 9), "the river");
  std::filesystem::copy_file(tokenizer, models / "hf/tokenizer.model");
  EXPECT_EQ(sample_of(evaluate(hf, data, 8)), wanted);
  const std::string checkpoint = (models / "model.h5").string();
  ASSERT_EQ(run_command(program("sward-convert") + " " + hf + " " + checkpoint).status, 0);
  EXPECT_EQ(sample_of(evaluate(checkpoint, data, 8)), wanted);
  // The token file's own goes before it.
  const std::string bytes = (models / "bytes.h5").string();
  write_token_file(bytes, random_tokens(100, 258, 3), 258, "bytes");
  EXPECT_EQ(sample_of(evaluate(hf, bytes, 8)), sample_of(evaluate(hf, data, 8, "--tokenizer bytes")));
  EXPECT_NE(sample_of(evaluate(hf, bytes, 8)), wanted);
}

/// Status 2 and one line with these words.
void expect_refused(const std::string& command, const std::string& wanted) {
  const CommandResult result = run_for_errors(command);
  EXPECT_EQ(result.status, 2) << result.output;
  EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
  EXPECT_THAT(result.output, testing::StartsWith("sward-evaluate: "));
  EXPECT_THAT(result.output, HasSubstr(wanted));
}

TEST(SwardEvaluate, RefusesBadOptionsInOneLine) {
  expect_refused(program("sward-evaluate"), "--checkpoint is required");
  expect_refused(evaluate(golden, golden_tokens, 0), "--sequence-length: Value 0 not in range 1 to");
  expect_refused(evaluate(golden, golden_tokens, 24, "--sampel"), "--sampel");
  expect_refused(evaluate(golden, golden_tokens, 24, "--sample --top-k -1"), "--top-k: Value -1 not in range 0 to");
  expect_refused(evaluate(golden, golden_tokens, 24, "--sample --seed -1"), "--seed: Value -1 not in range 0 to");
  expect_refused(evaluate(golden, golden_tokens, 24, "--sample"), golden_tokens + ": carries no tokenizer");
  expect_refused(evaluate(golden, golden_tokens, 24, "--sample --tokenizer bytes"), "258 tokens, the model 97");
  expect_refused(evaluate(golden, golden_tokens, 24, "--sample --tokenizer no/model"), "no/model");
}

TEST(SwardEvaluate, RefusesBadFilesInOneLine) {
  const TemporaryFolder folder;
  write_token_file(folder / "beyond.h5", {1, 2, 3, 97, 4}, 98);
  write_file(folder / "text.h5", "some text");
  const std::string beyond = (folder / "beyond.h5").string();
  const std::string text = (folder / "text.h5").string();
  expect_refused(evaluate("no/model.h5", golden_tokens, 24), "no/model.h5");
  expect_refused(evaluate(text, golden_tokens, 24), text);
  expect_refused(evaluate(golden_tokens, golden_tokens, 24), golden_tokens + ": is not a checkpoint");
  expect_refused(evaluate(golden, "no/tokens.h5", 24), "no/tokens.h5: no such file");
  expect_refused(evaluate(golden, text, 24), text);
  expect_refused(evaluate(golden, beyond, 2), beyond + ": /tokens: token 97 at position 3");
  expect_refused(evaluate(golden, golden_tokens, 5'000), golden_tokens + ": is shorter than one sequence");
}

TEST(SwardEvaluate, TakesNoMoreSequencesInAPassThanThereAre) {
  // Hundreds of gigabytes for so many; the file has 28.
  const std::string many = evaluate(golden, golden_tokens, 24, "--sequences 10000000");
  EXPECT_EQ(printed_by(many).digits, printed_by(evaluate(golden, golden_tokens, 24, "--sequences 28")).digits);
  expect_refused(
      evaluate(golden, golden_tokens, 24, "--sequences 1000000000"),
      "--sequences 1000000000: times --sequence-length 24 is more than 2147483647, the most tokens of one pass");
}

TEST(SwardEvaluate, RefusesWhatMemoryDoesNotHold) {
  const TemporaryFolder folder;
  auto config = nlohmann::json::parse(read_file(golden_folder("tiny-adamw") / "config.json"));
  config["intermediate_size"] = 2'000'000'000;
  config["num_hidden_layers"] = 500;
  write_file(folder / "config.json", config.dump());
  expect_refused(evaluate(folder.path().string(), golden_tokens, 24),
                 "--sequences 8, --sequence-length 24: model and pass take 5");
}

TEST(SwardEvaluate, PrintsOneLineForAllRanks) {
  const CommandResult result = run_for_errors(evaluate(golden, "no/tokens.h5", 24, "", 2));
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(lines_with(result.output, "sward-evaluate: ").size(), 1U) << result.output;
}

TEST(SwardEvaluate, HelpIsNoMistake) {
  const CommandResult result = run_command(program("sward-evaluate") + " --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("--sequence-length"));
}

}  // namespace
}  // namespace Sward::Test
