#include <gtest/gtest.h>

#include "Sward_DenseSink.hpp"
#include "Sward_Generation.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TestModel.hpp"

// Models of each kind that is read, against what transformers computes from the same files in double
// (tests/data/huggingface/make_references.py).

namespace Sward::Test {
namespace {

constexpr std::size_t length = 24;

class LlamaReferences : public ::testing::TestWithParam<std::string> {
 protected:
  HuggingFaceFolder folder() const { return HuggingFaceFolder(reference_folder(GetParam())); }
  std::vector<float> reference(const std::string& name) const {
    return SafetensorsFile(reference_folder(GetParam()) / "reference.safetensors").read(name);
  }
  std::vector<std::int32_t> tokens() const {
    const std::vector<float> values = reference("tokens");
    return {values.begin(), values.end()};
  }
};

/// Each token's target is the one after it; the last of a sequence has none.
std::vector<std::int32_t> next_tokens(const std::vector<std::int32_t>& tokens) {
  std::vector<std::int32_t> targets(tokens.begin() + 1, tokens.end());
  targets.push_back(-1);
  for (std::size_t last = length - 1; last < targets.size(); last += length) targets[last] = -1;
  return targets;
}

TEST_P(LlamaReferences, LogitsAgree) {
  const HuggingFaceFolder start = folder();
  const auto vocabulary = static_cast<std::size_t>(start.shape().vocab_size);
  const auto inputs = tokens();
  TestModel<float> test(start.shape(), {inputs.size() / length, length, false}, Recompute::none);
  test.take_weights(start);
  test.model.set_batch(test.space, inputs, next_tokens(inputs));
  test.model.forward(test.space);
  const std::vector<float> wanted = reference("logits");
  ASSERT_EQ(wanted.size(), inputs.size() * vocabulary);
  for (std::size_t token = 0; token < inputs.size(); ++token) {
    const std::vector<float> logits = test.model.logits(test.space, token);
    // Logits reach 6, and some hundred sums of 32 terms lie behind each: 6e-8 x 6 x sqrt(100 x 32) is 2e-5.
    for (std::size_t i = 0; i < vocabulary; ++i)
      ASSERT_NEAR(logits[i], wanted[token * vocabulary + i], 1e-4F) << "token " << token << " logit " << i;
  }
}

TEST_P(LlamaReferences, LossAndEveryGradientAgree) {
  const HuggingFaceFolder start = folder();
  const auto inputs = tokens();
  const auto targets = next_tokens(inputs);
  const std::size_t sequences = inputs.size() / length;
  const auto count = static_cast<double>(sequences * (length - 1));
  TestModel<float> test(start.shape(), {sequences, length, true}, Recompute::none);
  test.take_weights(start);
  test.model.set_batch(test.space, inputs, targets);
  DenseSink<float> sink(test.space, test.model.parameters());
  test.model.forward_backward(test.space, 1.0 / count, sink);
  test.space.fence();
  const auto loss = static_cast<double>(reference("loss").at(0));
  EXPECT_NEAR(test.model.loss_sum(test.space) / count, loss, 1e-4 * loss);
  for (std::size_t p = 0; p < test.model.parameters().size(); ++p) {
    const std::string& name = test.model.parameters()[p].name;
    const std::vector<float> wanted = reference("gradient." + name);
    ASSERT_EQ(wanted.size(), sink.gradients[p].size()) << name;
    EXPECT_LE(relative_error(sink.gradients[p], wanted), 1e-4) << name;
  }
}

TEST_P(LlamaReferences, TheLikeliestTokensAreTheSame) {
  const HuggingFaceFolder start = folder();
  const std::vector<float> values = reference("continuation");
  const std::vector<std::uint32_t> wanted(values.begin(), values.end());
  constexpr std::size_t prompt = 4;
  SamplingOptions options;
  options.tokens = static_cast<std::int64_t>(wanted.size() - prompt);
  ASSERT_EQ(options.tokens, 50);
  options.temperature = 0;
  TestModel<float> test(start.shape(), {1, wanted.size(), false}, Recompute::none);
  test.take_weights(start);
  std::vector<std::uint32_t> tokens(wanted.begin(), wanted.begin() + prompt);
  constexpr std::uint32_t no_end = 1000;  // a token that cannot come
  generate(test.space, test.model, no_end, options, tokens);
  EXPECT_EQ(tokens, wanted);
}

INSTANTIATE_TEST_SUITE_P(Kinds, LlamaReferences, ::testing::ValuesIn(reference_kinds),
                         [](const auto& kind) { return kind.param; });

}  // namespace
}  // namespace Sward::Test
