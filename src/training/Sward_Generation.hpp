#pragma once

#include <cstdint>
#include <vector>

#include "Sward_Llama.hpp"

namespace Sward {

/// How tokens are drawn, and how many.
struct SamplingOptions {
  std::int64_t tokens = 300;
  std::int64_t vocab_size = 0;  ///< only tokens below it are drawn, 0: all; for a tokenizer smaller than the model
  std::int64_t top_k = 0;       ///< only the likeliest so many are drawn, ties to the lower number; 0: all
  double temperature = 0.8;     ///< 0: the likeliest
  std::uint64_t seed = 0;
};

/// Appends up to `options.tokens` tokens that the model draws, and stops at the end token. Probabilities are computed
/// in double, and the draw depends on the seed and the token's number alone. The model's batch is one sequence, whose
/// length bounds the context. Every token costs a whole pass: for samples, not for serving.
template <class ExecutionSpace, class Scalar>
void generate(const ExecutionSpace& space, Llama<ExecutionSpace, Scalar>& model, std::uint32_t end_token,
              const SamplingOptions& options, std::vector<std::uint32_t>& tokens);

}  // namespace Sward
