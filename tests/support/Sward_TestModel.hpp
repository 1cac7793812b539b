#pragma once

#include <algorithm>
#include <vector>

#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_Llama.hpp"

namespace Sward::Test {

/// A model with memory of its own, ready for weights.
template <class Scalar>
struct TestModel {
  using Space = Kokkos::DefaultExecutionSpace;

  TestModel(const LlamaShape& shape, const BatchShape& batch, Recompute recompute)
      : arena(Arena<Space>::holding(bytes(shape, batch, recompute))), model(arena, shape, batch, recompute) {
    model.initialize(space);
  }
  void take_weights(const HuggingFaceFolder& folder) {
    for (std::size_t p = 0; p < model.parameters().size(); ++p) {
      const std::vector<float> values = folder.read(model.parameters()[p].name);
      std::copy(values.begin(), values.end(), model.weights()[p].data());
    }
  }
  static std::size_t bytes(const LlamaShape& shape, const BatchShape& batch, Recompute recompute) {
    Arena<Space> plan = Arena<Space>::measuring();
    const Llama<Space, Scalar> measured(plan, shape, batch, recompute);
    return plan.bytes();
  }
  Space space;
  Arena<Space> arena;
  Llama<Space, Scalar> model;
};

}  // namespace Sward::Test
