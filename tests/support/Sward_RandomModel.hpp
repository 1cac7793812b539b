#pragma once

#include <optional>

#include "Sward_Llama.hpp"
#include "Sward_Scale.hpp"

namespace Sward::Test {

/// A small shape with grouped keys and values.
inline LlamaShape small_shape() { return {16, 24, 4, 2, 2, 13, false, 1e-6, 10000.0}; }

/// A model without memory for training. Its weights are the same for every batch, and so large that it has opinions.
class RandomModel {
 public:
  using Space = Kokkos::DefaultExecutionSpace;

  RandomModel(const Space& space, const LlamaShape& shape, std::size_t sequences, std::size_t length) {
    const BatchShape batch{sequences, length, false};
    Arena<Space> plan = Arena<Space>::measuring();
    const Llama<Space, float> planned(plan, shape, batch, Recompute::none);
    arena_.emplace(Arena<Space>::holding(plan.bytes()));
    model_.emplace(*arena_, shape, batch, Recompute::none);
    model_->initialize(space);
    model_->initialize_weights(space, 5);
    for (std::size_t i = 0; i < model_->weights().size(); ++i)
      if (model_->parameters()[i].kind != ParameterKind::norm) scale(space, model_->weights()[i], 20.0F);
    space.fence("Sward::Test::RandomModel");
  }

  Llama<Space, float>& model() { return *model_; }

 private:
  std::optional<Arena<Space>> arena_;
  std::optional<Llama<Space, float>> model_;
};

}  // namespace Sward::Test
