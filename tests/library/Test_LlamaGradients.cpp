#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "Sward_DenseSink.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TestModel.hpp"
#include "Sward_TokenFileContents.hpp"
#include "Sward_TokenStream.hpp"

// The model's gradients against central differences in double, and against the reference's first gradients in float.

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;

LlamaShape small_shape(int heads, int key_value_heads, int intermediate, bool tied) {
  LlamaShape shape;
  shape.hidden_size = 6 * heads;
  shape.intermediate_size = intermediate;
  shape.num_heads = heads;
  shape.num_key_value_heads = key_value_heads;
  shape.num_layers = 2;
  shape.vocab_size = 13;
  shape.tie_embeddings = tied;
  return shape;
}

std::vector<std::int32_t> random_tokens(std::size_t count, std::int32_t vocabulary, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_int_distribution<std::int32_t> token(0, vocabulary - 1);
  std::vector<std::int32_t> tokens(count);
  for (auto& value : tokens) value = token(engine);
  return tokens;
}

struct GradientCase {
  int heads;
  int key_value_heads;
  int intermediate;
  bool tied;
  std::size_t length;
  Recompute recompute;
  bool packed = false;  ///< a second document begins at the third token of each sequence
};

/// The derivative of the loss with respect to one element. Losses near 30 carry errors of some 1e-14, which over h are
/// 1e-10; the fifth derivative comes with h^4 = 1e-16.
template <class Matrix, class Loss>
double central_difference(const Matrix& weight, std::size_t i, const Loss& loss) {
  const double kept = weight.data()[i];
  const auto loss_at = [&](double offset) {
    weight.data()[i] = kept + offset;
    const double value = loss();
    weight.data()[i] = kept;
    return value;
  };
  const double h = 1e-4;
  const double near = loss_at(h) - loss_at(-h);
  const double far = loss_at(2 * h) - loss_at(-2 * h);
  return (8 * near - far) / (12 * h);
}

class LlamaGradients : public ::testing::TestWithParam<GradientCase> {};

TEST_P(LlamaGradients, EqualCentralDifferencesInDouble) {
  const GradientCase c = GetParam();
  const LlamaShape shape = small_shape(c.heads, c.key_value_heads, c.intermediate, c.tied);
  TestModel<double> test(shape, {2, c.length, true}, c.recompute);
  auto& model = test.model;
  model.initialize_weights(test.space, 3);
  // Larger weights than at the start of training, so that no part of the gradient is negligible.
  std::mt19937 engine(5);
  std::normal_distribution<double> draw(0.0, 0.4);
  for (const auto& weight : model.weights())
    for (std::size_t i = 0; i < weight.size(); ++i) weight.data()[i] += draw(engine);
  const auto inputs = random_tokens(model.batch().tokens(), 13, 1);
  auto targets = random_tokens(model.batch().tokens(), 13, 2);
  targets[1] = -1;
  std::vector<std::int32_t> first_keys;
  for (std::size_t i = 0; c.packed && i < inputs.size(); ++i) first_keys.push_back(i % c.length < 2 ? 0 : 2);
  model.set_batch(test.space, inputs, targets, first_keys);

  const double scale = 0.7;
  DenseSink<double> sink(test.space, model.parameters());
  model.forward_backward(test.space, scale, sink);
  test.space.fence();
  const auto loss = [&] {
    model.forward(test.space);
    return scale * model.loss_sum(test.space);
  };
  std::uniform_int_distribution<std::size_t> any(0, 1u << 30);
  for (std::size_t p = 0; p < model.parameters().size(); ++p) {
    EXPECT_EQ(sink.completions[p], 1) << model.parameters()[p].name;
    const auto& weight = model.weights()[p];
    for (int trial = 0; trial < 6; ++trial) {
      const std::size_t i = any(engine) % weight.size();
      EXPECT_NEAR(sink.gradients[p].data()[i], central_difference(weight, i, loss), 5e-9)
          << model.parameters()[p].name << " element " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LlamaGradients,
                         ::testing::Values(GradientCase{2, 2, 10, false, 7, Recompute::none},
                                           GradientCase{3, 3, 7, false, 5, Recompute::attention},
                                           GradientCase{4, 2, 9, false, 6, Recompute::block},
                                           GradientCase{4, 1, 5, true, 1, Recompute::none},
                                           GradientCase{3, 1, 11, true, 33, Recompute::block},
                                           GradientCase{2, 1, 512, false, 3, Recompute::none},  // rows of whole pages
                                           GradientCase{4, 2, 9, false, 6, Recompute::block, true},
                                           GradientCase{2, 2, 10, false, 35, Recompute::none, true}));

TEST(LlamaGradients, OfAMaskedUpdateAreThoseOfTheMeanOverTheTargetsThatCount) {
  constexpr std::size_t length = 5;
  const LlamaShape shape = small_shape(2, 1, 10, false);
  TestModel<double> test(shape, {3, length, true}, Recompute::none);
  auto& model = test.model;
  model.initialize_weights(test.space, 3);
  std::mt19937 engine(7);
  std::normal_distribution<double> draw(0.0, 0.4);
  for (const auto& weight : model.weights())
    for (std::size_t i = 0; i < weight.size(); ++i) weight.data()[i] += draw(engine);

  // One update of two micro-batches. The reference knows every target, and picks the losses that count by the mask.
  TokenFileContents contents{{}, 13};
  contents.loss_mask.emplace();
  for (std::size_t i = 0; i < 6 * length + 1; ++i) {
    contents.tokens.push_back(static_cast<std::uint32_t>(engine() % 13));
    contents.loss_mask->push_back(engine() % 3 < (i < 3 * length ? 1U : 2U) ? 1 : 0);
  }
  const TemporaryFolder folder;
  contents.write(folder / "masked.h5");
  TokenStream stream({{std::make_shared<const TokenFile>(folder / "masked.h5")}}, length, 6, SequenceOrder::sequential,
                     0);
  const std::vector<std::int32_t> tokens(contents.tokens.begin(), contents.tokens.end());
  const auto count = std::accumulate(contents.loss_mask->begin() + 1, contents.loss_mask->end(), 0);
  EXPECT_NE(count, 15);
  DenseSink<double> sink(test.space, model.parameters());
  double loss_sum = 0.0;
  for (const std::uint64_t first : {0U, 3U}) {
    const TokenBatch batch = stream.read(0, first, 3);
    model.set_batch(test.space, batch.inputs, batch.targets);
    model.forward_backward(test.space, 1.0 / count, sink);
    loss_sum += model.loss_sum(test.space);
  }
  const auto loss = [&] {
    double sum = 0.0;
    for (const std::size_t first : {std::size_t{0}, 3 * length}) {
      const std::span<const std::int32_t> all(tokens);
      model.set_batch(test.space, all.subspan(first, 3 * length), all.subspan(first + 1, 3 * length));
      model.forward(test.space);
      test.space.fence();
      for (std::size_t t = 0; t < 3 * length; ++t)
        if ((*contents.loss_mask)[first + t + 1] == 1) sum += model.losses()(t);
    }
    return sum / count;
  };
  EXPECT_NEAR(loss_sum / count, loss(), 1e-12 * loss());
  for (std::size_t p = 0; p < model.parameters().size(); ++p) {
    const auto& weight = model.weights()[p];
    for (int trial = 0; trial < 4; ++trial) {
      const std::size_t i = engine() % weight.size();
      EXPECT_NEAR(sink.gradients[p].data()[i], central_difference(weight, i, loss), 5e-9)
          << model.parameters()[p].name << " element " << i;
    }
  }
}

class GoldenGradients : public ::testing::TestWithParam<Recompute> {};

TEST_P(GoldenGradients, FirstGradientsOfTheReference) {
  for (const char* name : {"tiny-top-r", "tiny-adamw"}) {
    const std::filesystem::path golden = golden_folder(name);
    const HuggingFaceFolder start(golden);
    TestModel<float> test(start.shape(), {4, 24, true}, GetParam());
    auto& model = test.model;
    test.take_weights(start);
    const TokenFile tokens(golden / "tokens.h5");
    const auto stream = tokens.read(0, 97);
    const std::vector<std::int32_t> inputs(stream.begin(), stream.end() - 1);
    const std::vector<std::int32_t> targets(stream.begin() + 1, stream.end());
    model.set_batch(test.space, inputs, targets);
    DenseSink<float> sink(test.space, model.parameters());
    model.forward_backward(test.space, 1.0 / 96.0, sink);
    test.space.fence();

    const SafetensorsFile wanted(golden / "gradients.safetensors");
    for (std::size_t p = 0; p < model.parameters().size(); ++p) {
      EXPECT_LE(relative_error(sink.gradients[p], wanted.read(model.parameters()[p].name)), 1e-5)
          << model.parameters()[p].name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, GoldenGradients,
                         ::testing::Values(Recompute::none, Recompute::attention, Recompute::block));

}  // namespace
}  // namespace Sward::Test
