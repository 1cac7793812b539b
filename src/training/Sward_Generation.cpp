#include "Sward_Generation.hpp"

#include <algorithm>
#include <cmath>

#include "Sward_Philox.hpp"

namespace Sward {

namespace {

/// Draws from softmax(logits / temperature), with `uniform` from (0, 1).
std::uint32_t draw_token(const std::vector<float>& logits, double temperature, double uniform) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (temperature <= 0.0) return static_cast<std::uint32_t>(largest - logits.begin());
  std::vector<double> cumulative(logits.size());
  double sum = 0.0;
  for (std::size_t i = 0; i < logits.size(); ++i)
    cumulative[i] = sum += std::exp((static_cast<double>(logits[i]) - static_cast<double>(*largest)) / temperature);
  const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, uniform * sum);
  return static_cast<std::uint32_t>(found - cumulative.begin());
}

}  // namespace

template <class ExecutionSpace, class Scalar>
void generate(const ExecutionSpace& space, Llama<ExecutionSpace, Scalar>& model, std::uint32_t end_token,
              const SamplingOptions& options, std::vector<std::uint32_t>& tokens) {
  const std::size_t length = model.batch().length;
  const std::vector<std::int32_t> targets(length, -1);
  for (std::int64_t i = 0; i < options.tokens; ++i) {
    const std::size_t context = std::min(length, tokens.size());
    std::vector<std::int32_t> inputs(length, 0);
    std::copy(tokens.end() - static_cast<std::ptrdiff_t>(context), tokens.end(), inputs.begin());
    model.set_batch(space, inputs, targets);
    model.forward(space);
    const double uniform = uniform_open(Draw{options.seed, 0, 0}, static_cast<std::uint64_t>(i));
    std::vector<float> logits = model.logits(space, context - 1);
    if (options.vocab_size > 0) logits.resize(std::min(logits.size(), static_cast<std::size_t>(options.vocab_size)));
    tokens.push_back(draw_token(logits, options.temperature, uniform));
    if (tokens.back() == end_token) return;
  }
}

template void generate(const Kokkos::DefaultExecutionSpace&, Llama<Kokkos::DefaultExecutionSpace, float>&,
                       std::uint32_t, const SamplingOptions&, std::vector<std::uint32_t>&);

}  // namespace Sward
