#pragma once

#include <optional>
#include <random>
#include <vector>

#include "Sward_Llama.hpp"
#include "Sward_Optimizer.hpp"

namespace Sward::Test {

/// A small model with its optimizer in one arena, as the trainer places them, and random tokens to train on.
class TrainingFixture {
 public:
  using Space = Kokkos::DefaultExecutionSpace;

  TrainingFixture(const Space& space, const LlamaShape& shape, const BatchShape& batch, Recompute recompute,
                  const OptimizerOptions& options, ProcessGroup& communicator)
      : space_(space), communicator_(communicator) {
    Arena<Space> plan = Arena<Space>::measuring();
    place(plan, shape, batch, recompute, options);
    arena_.emplace(Arena<Space>::holding(plan.bytes()));
    place(*arena_, shape, batch, recompute, options);
    model_->initialize(space);
    model_->initialize_weights(space, 1);
    optimizer_->initialize(space);
    std::mt19937 engine(static_cast<unsigned>(17 + communicator.rank()));
    std::uniform_int_distribution<std::int32_t> token(0, static_cast<std::int32_t>(shape.vocab_size) - 1);
    for (std::size_t i = 0; i < batch.tokens(); ++i) {
      inputs_.push_back(token(engine));
      targets_.push_back(token(engine));
    }
  }

  /// One whole update over `micro_batches` equal micro-batches; returns the gradient norm. A sink, if given, stands
  /// between the model and the optimizer.
  double update(std::int64_t step, int micro_batches, double learning_rate = 1e-3,
                GradientSink<Space, float>* sink = nullptr) {
    if (sink == nullptr) sink = &*optimizer_;
    optimizer_->begin_update(space_, step, micro_batches, learning_rate);
    for (int j = 0; j < micro_batches; ++j) {
      model_->set_batch(space_, inputs_, targets_);
      model_->forward_backward(space_, 1.0 / static_cast<double>(inputs_.size()), *sink);
    }
    const GradientNorm norm = optimizer_->finish_gradients();
    optimizer_->apply(norm.norm);
    space_.fence("Sward::Test::TrainingFixture");
    return norm.norm;
  }

  /// An update of one micro-batch that sends these rows of the embedding's gradient.
  void update_rows(std::int64_t step, const std::vector<int>& tokens) {
    optimizer_->begin_update(space_, step, 1, 1e-3);
    optimizer_->set_embedding_rows(tokens);
    model_->set_batch(space_, inputs_, targets_);
    model_->forward_backward(space_, 1.0 / static_cast<double>(inputs_.size()), *optimizer_);
    optimizer_->apply(optimizer_->finish_gradients().norm);
    space_.fence("Sward::Test::TrainingFixture");
  }

  const std::vector<std::int32_t>& inputs() const { return inputs_; }
  const Arena<Space>& arena() const { return *arena_; }
  Llama<Space, float>& model() { return *model_; }
  Optimizer<Space, float>& optimizer() { return *optimizer_; }

 private:
  void place(Arena<Space>& arena, const LlamaShape& shape, const BatchShape& batch, Recompute recompute,
             const OptimizerOptions& options) {
    const auto storage = options.shard.shares_weights() ? WeightStorage::by_group : WeightStorage::whole;
    model_.emplace(arena, shape, batch, recompute, storage);
    optimizer_.emplace(arena, model_->parameters(), model_->weights(), batch.tokens(), options, communicator_);
    model_->set_weight_source(optimizer_->weight_source());
  }

  Space space_;
  ProcessGroup& communicator_;
  std::optional<Arena<Space>> arena_;
  std::optional<Llama<Space, float>> model_;
  std::optional<Optimizer<Space, float>> optimizer_;
  std::vector<std::int32_t> inputs_;
  std::vector<std::int32_t> targets_;
};

}  // namespace Sward::Test
