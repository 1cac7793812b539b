#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "Sward_Generation.hpp"
#include "Sward_RandomModel.hpp"

namespace Sward::Test {
namespace {

using Space = RandomModel::Space;
using Tokens = std::vector<std::uint32_t>;

constexpr std::size_t length = 8;
constexpr std::uint32_t no_end = 1000;  // a token that cannot come

SamplingOptions options(std::int64_t tokens, double temperature, std::uint64_t seed) {
  SamplingOptions options;
  options.tokens = tokens;
  options.temperature = temperature;
  options.seed = seed;
  return options;
}

/// Logits after the last `length` of these tokens, by a model whose batch is exactly as long as they are.
std::vector<float> logits_after(const Tokens& tokens) {
  const Space space;
  const std::size_t context = std::min(length, tokens.size());
  RandomModel random(space, small_shape(), 1, context);
  const std::vector<std::int32_t> inputs(tokens.end() - static_cast<std::ptrdiff_t>(context), tokens.end());
  random.model().set_batch(space, inputs, std::vector<std::int32_t>(context, -1));
  random.model().forward(space);
  return random.model().logits(space, context - 1);
}

Tokens generated(const Tokens& prompt, const SamplingOptions& sampling, std::uint32_t end_token = no_end) {
  const Space space;
  RandomModel random(space, small_shape(), 1, length);
  Tokens tokens = prompt;
  generate(space, random.model(), end_token, sampling, tokens);
  return tokens;
}

TEST(Generation, takes_the_likeliest_token_at_temperature_zero) {
  Tokens wanted{1, 2};
  for (int i = 0; i < 20; ++i) {
    const std::vector<float> logits = logits_after(wanted);
    wanted.push_back(static_cast<std::uint32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
  }
  EXPECT_EQ(generated({1, 2}, options(20, 0.0, 0)), wanted);
  EXPECT_EQ(generated({1, 2}, options(20, 0.0, 7)), wanted);
}

TEST(Generation, gives_the_same_tokens_for_the_same_seed) {
  const Tokens first = generated({3}, options(30, 1.0, 4));
  EXPECT_EQ(first.size(), 31U);
  EXPECT_EQ(first.front(), 3U);
  EXPECT_EQ(generated({3}, options(30, 1.0, 4)), first);
  EXPECT_NE(generated({3}, options(30, 1.0, 5)), first);
}

TEST(Generation, stops_at_the_end_token) {
  const Tokens free = generated({3}, options(30, 1.0, 4));
  const std::uint32_t end = free[10];
  const auto stop = std::find(free.begin() + 1, free.end(), end);
  EXPECT_EQ(generated({3}, options(30, 1.0, 4), end), Tokens(free.begin(), stop + 1));
  // An end token of the prompt does not count.
  EXPECT_GT(generated({end}, options(5, 0.0, 0), end).size(), 1U);
}

TEST(Generation, appends_nothing_when_asked_for_nothing) {
  EXPECT_EQ(generated({3, 4}, options(0, 1.0, 4)), (Tokens{3, 4}));
}

TEST(Generation, keeps_to_the_tokenizers_vocabulary) {
  SamplingOptions sampling = options(60, 5.0, 4);
  const Tokens free = generated({3}, sampling);
  EXPECT_GT(*std::max_element(free.begin(), free.end()), 4U);
  sampling.vocab_size = 5;
  const Tokens tokens = generated({3}, sampling);
  EXPECT_EQ(tokens.size(), 61U);
  EXPECT_EQ(*std::max_element(tokens.begin(), tokens.end()), 4U);
}

constexpr int draws = 1000;

/// How often each token comes first after the prompt, over as many seeds.
std::vector<int> first_tokens(const Tokens& prompt, SamplingOptions sampling) {
  const Space space;
  RandomModel random(space, small_shape(), 1, length);
  std::vector<int> counts(static_cast<std::size_t>(small_shape().vocab_size));
  for (int seed = 0; seed < draws; ++seed) {
    sampling.seed = static_cast<std::uint64_t>(seed);
    Tokens tokens = prompt;
    generate(space, random.model(), no_end, sampling, tokens);
    ++counts[tokens.back()];
  }
  return counts;
}

/// Five standard deviations of the binomial distribution around each token's expectation.
void expect_frequencies(const std::vector<int>& counts, const std::vector<double>& unnormalized) {
  double sum = 0.0;
  for (const double value : unnormalized) sum += value;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double p = unnormalized[i] / sum;
    const double slack = p > 0.0 ? 1.0 + 5.0 * std::sqrt(draws * p * (1.0 - p)) : 0.0;
    EXPECT_NEAR(counts[i], draws * p, slack) << "token " << i;
  }
}

TEST(Generation, draws_from_the_softmax_of_the_logits_over_the_temperature) {
  const Tokens prompt{5, 1, 7};
  for (const double temperature : {0.7, 2.0}) {
    std::vector<double> likelihood;
    for (const float logit : logits_after(prompt))
      likelihood.push_back(std::exp(static_cast<double>(logit) / temperature));
    expect_frequencies(first_tokens(prompt, options(1, temperature, 0)), likelihood);
  }
}

TEST(Generation, draws_from_the_softmax_of_the_likeliest_alone) {
  const Tokens prompt{5, 1, 7};
  const std::vector<float> logits = logits_after(prompt);
  for (const std::size_t top_k : {2U, 3U, 6U}) {
    std::vector<double> likelihood;
    for (const float logit : logits) {
      const auto larger = std::count_if(logits.begin(), logits.end(), [&](float other) { return other > logit; });
      const bool kept = static_cast<std::size_t>(larger) < top_k;
      likelihood.push_back(kept ? std::exp(static_cast<double>(logit) / 2.0) : 0.0);
    }
    SamplingOptions sampling = options(1, 2.0, 0);
    sampling.top_k = static_cast<std::int64_t>(top_k);
    expect_frequencies(first_tokens(prompt, sampling), likelihood);
  }
}

TEST(Generation, one_likeliest_token_is_the_choice_at_temperature_zero_and_all_are_no_restriction) {
  SamplingOptions sampling = options(20, 3.0, 4);
  const Tokens free = generated({1, 2}, sampling);
  for (const std::int64_t all : {13, 14, 1000}) {
    sampling.top_k = all;
    EXPECT_EQ(generated({1, 2}, sampling), free);
  }
  sampling.top_k = 1;
  EXPECT_EQ(generated({1, 2}, sampling), generated({1, 2}, options(20, 0.0, 0)));
  EXPECT_NE(generated({1, 2}, sampling), free);
}

TEST(Generation, ties_go_to_the_lower_number) {
  const Space space;
  RandomModel random(space, small_shape(), 1, length);
  for (const auto& weight : random.model().weights()) Kokkos::deep_copy(weight, 0.0F);
  SamplingOptions sampling = options(200, 1.0, 4);
  sampling.top_k = 3;
  Tokens tokens{1};
  generate(space, random.model(), no_end, sampling, tokens);
  std::vector<int> counts(3);
  for (const std::uint32_t token : Tokens(tokens.begin() + 1, tokens.end())) ++counts.at(token);
  // A third of 200 each: a mean of 67 and a deviation of 7.
  for (const int count : counts) EXPECT_NEAR(count, 67, 35);
}

}  // namespace
}  // namespace Sward::Test
