#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "Sward_Evaluation.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_RandomModel.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFileContents.hpp"
#include "Sward_TokenFileWriter.hpp"

namespace Sward::Test {
namespace {

using Space = RandomModel::Space;

constexpr std::size_t length = 6;

std::vector<std::uint32_t> write_tokens(const std::filesystem::path& path, std::size_t count) {
  std::mt19937 engine(3);
  std::uniform_int_distribution<std::uint32_t> draw(0, static_cast<std::uint32_t>(small_shape().vocab_size) - 1);
  std::vector<std::uint32_t> tokens;
  for (std::size_t i = 0; i < count; ++i) tokens.push_back(draw(engine));
  TokenFileWriter writer(path, static_cast<std::uint32_t>(small_shape().vocab_size), "none", "");
  writer.append(tokens);
  writer.commit();
  return tokens;
}

double minus_log_probability(const std::vector<float>& logits, std::uint32_t token) {
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  return std::log(sum) - static_cast<double>(logits[token]);
}

/// Mean over the targets of all whole sequences for which the mask, if there is one, has a 1; one sequence at a time,
/// from the logits.
double reference_loss(const std::vector<std::uint32_t>& tokens, const std::vector<std::uint8_t>& mask = {}) {
  const Space space;
  RandomModel random(space, small_shape(), 1, length);
  double sum = 0.0;
  std::size_t count = 0;
  for (std::size_t first = 0; first + length < tokens.size(); first += length) {
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(first);
    const std::vector<std::int32_t> inputs(begin, begin + length);
    random.model().set_batch(space, inputs, std::vector<std::int32_t>(length, -1));
    random.model().forward(space);
    for (std::size_t t = 0; t < length; ++t) {
      if (!mask.empty() && mask[first + t + 1] == 0) continue;
      sum += minus_log_probability(random.model().logits(space, t), tokens[first + t + 1]);
      ++count;
    }
  }
  return sum / static_cast<double>(count);
}

double loss_by(std::size_t sequences, const std::filesystem::path& path) {
  const Space space;
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  RandomModel random(space, small_shape(), sequences, length);
  return evaluate(space, random.model(), TokenFile(path), false, communicator);
}

TEST(Evaluation, is_the_mean_over_every_whole_sequence_for_any_batch) {
  const TemporaryFolder folder;
  // 8 sequences, and tokens left over that do not make another.
  const std::vector<std::uint32_t> tokens = write_tokens(folder / "tokens.h5", 8 * length + 4);
  const double wanted = reference_loss(tokens);
  EXPECT_GT(std::abs(wanted - std::log(13.0)), 0.1);
  for (const std::size_t sequences : {1U, 2U, 3U, 8U, 20U})
    EXPECT_NEAR(loss_by(sequences, folder / "tokens.h5"), wanted, 1e-6 * wanted) << sequences;
}

TEST(Evaluation, counts_a_last_sequence_that_just_fits) {
  const TemporaryFolder folder;
  const std::vector<std::uint32_t> tokens = write_tokens(folder / "tokens.h5", 3 * length + 1);
  const double wanted = reference_loss(tokens);
  EXPECT_NEAR(loss_by(2, folder / "tokens.h5"), wanted, 1e-6 * wanted);
  const double without = reference_loss({tokens.begin(), tokens.end() - 1});
  EXPECT_GT(std::abs(without - wanted), 1e-3);
}

TEST(Evaluation, weighs_every_counting_target_alike_for_any_batch) {
  const TemporaryFolder folder;
  // The first half of the sequences has few counting targets, the second many: means of batches would weigh them wrong.
  std::mt19937 engine(8);
  TokenFileContents contents{write_tokens(folder / "plain.h5", 8 * length + 4), 13};
  contents.loss_mask.emplace();
  for (std::size_t i = 0; i < contents.tokens.size(); ++i)
    contents.loss_mask->push_back(engine() % 6 < (i < 4 * length ? 1U : 5U) ? 1 : 0);
  contents.write(folder / "masked.h5");
  const double wanted = reference_loss(contents.tokens, *contents.loss_mask);
  EXPECT_GT(std::abs(wanted - reference_loss(contents.tokens)), 0.01);
  for (const std::size_t sequences : {1U, 2U, 3U, 8U, 20U})
    EXPECT_NEAR(loss_by(sequences, folder / "masked.h5"), wanted, 1e-6 * wanted) << sequences;
}

TEST(Evaluation, names_a_file_in_which_no_target_counts) {
  const TemporaryFolder folder;
  TokenFileContents contents{write_tokens(folder / "plain.h5", 2 * length + 3), 13};
  contents.loss_mask.emplace(contents.tokens.size());
  // The first token is no target, and what follows the last whole sequence is none either.
  contents.loss_mask->front() = 1;
  (*contents.loss_mask)[2 * length + 1] = 1;
  contents.write(folder / "a.h5");
  EXPECT_THAT(message_of<InputError>([&] { loss_by(2, folder / "a.h5"); }),
              testing::HasSubstr("a.h5: /loss_mask: no target counts"));
  (*contents.loss_mask)[2 * length] = 1;
  contents.write(folder / "a.h5");
  EXPECT_NEAR(loss_by(2, folder / "a.h5"), reference_loss(contents.tokens, *contents.loss_mask), 1e-5);
}

TEST(Evaluation, keeps_documents_apart_on_request) {
  const TemporaryFolder folder;
  TokenFileContents contents{write_tokens(folder / "plain.h5", 8 * length + 1), 13};
  contents.document_starts = std::vector<std::uint64_t>{0, 3, 4, 2 * length, 5 * length + 2};
  contents.write(folder / "documents.h5");
  const Space space;
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  // Each stretch of a document within a sequence at the front of a sequence of its own: positions are relative.
  RandomModel alone(space, small_shape(), 1, length);
  double sum = 0.0;
  for (std::size_t first = 0; first < 8 * length;) {
    std::size_t last = first + 1;
    const auto& starts = *contents.document_starts;
    while (last % length != 0 && std::find(starts.begin(), starts.end(), last) == starts.end()) ++last;
    std::vector<std::int32_t> inputs(length, 0);
    std::copy(contents.tokens.begin() + static_cast<std::ptrdiff_t>(first),
              contents.tokens.begin() + static_cast<std::ptrdiff_t>(last), inputs.begin());
    alone.model().set_batch(space, inputs, std::vector<std::int32_t>(length, -1));
    alone.model().forward(space);
    for (std::size_t t = first; t < last; ++t)
      sum += minus_log_probability(alone.model().logits(space, t - first), contents.tokens[t + 1]);
    first = last;
  }
  const double wanted = sum / static_cast<double>(8 * length);
  EXPECT_GT(std::abs(wanted - reference_loss(contents.tokens)), 1e-3);
  for (const std::size_t sequences : {1U, 3U, 8U}) {
    RandomModel random(space, small_shape(), sequences, length);
    const TokenFile file(folder / "documents.h5");
    EXPECT_NEAR(evaluate(space, random.model(), file, true, communicator), wanted, 1e-6 * wanted) << sequences;
    EXPECT_NEAR(evaluate(space, random.model(), file, false, communicator), reference_loss(contents.tokens), 1e-5);
  }
}

TEST(Evaluation, leaves_the_model_as_it_was) {
  const TemporaryFolder folder;
  write_tokens(folder / "tokens.h5", 40);
  const Space space;
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  RandomModel random(space, small_shape(), 3, length);
  const TokenFile file(folder / "tokens.h5");
  const double first = evaluate(space, random.model(), file, false, communicator);
  EXPECT_EQ(evaluate(space, random.model(), file, false, communicator), first);
}

TEST(Evaluation, names_a_file_without_a_whole_sequence) {
  const TemporaryFolder folder;
  for (const std::size_t count : {std::size_t(0), std::size_t(1), length}) {
    write_tokens(folder / "short.h5", count);
    EXPECT_THAT(message_of<InputError>([&] { loss_by(2, folder / "short.h5"); }),
                testing::HasSubstr("short.h5: is shorter than one sequence of 6 tokens"))
        << count;
  }
  write_tokens(folder / "short.h5", length + 1);
  EXPECT_NO_THROW(loss_by(2, folder / "short.h5"));
}

}  // namespace
}  // namespace Sward::Test
