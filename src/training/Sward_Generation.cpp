#include "Sward_Generation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "Sward_Philox.hpp"

namespace Sward {

namespace {

/// The `count` largest, in ascending order of their numbers; ties go to the lower number. 0 means all.
std::vector<std::size_t> largest_logits(const std::vector<float>& logits, std::size_t count) {
  std::vector<std::size_t> tokens(logits.size());
  std::iota(tokens.begin(), tokens.end(), std::size_t{0});
  if (count == 0 || count >= tokens.size()) return tokens;
  const auto comes_first = [&](std::size_t a, std::size_t b) {
    return logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
  };
  std::nth_element(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count), tokens.end(), comes_first);
  tokens.resize(count);
  std::sort(tokens.begin(), tokens.end());
  return tokens;
}

/// Draws from softmax(logits / temperature) over the `top_k` largest, with `uniform` from (0, 1).
std::uint32_t draw_token(const std::vector<float>& logits, const SamplingOptions& options, double uniform) {
  const auto largest = std::max_element(logits.begin(), logits.end());
  if (options.temperature <= 0.0) return static_cast<std::uint32_t>(largest - logits.begin());
  const std::vector<std::size_t> tokens = largest_logits(logits, static_cast<std::size_t>(options.top_k));
  std::vector<double> cumulative;
  double sum = 0.0;
  for (const std::size_t token : tokens) {
    sum += std::exp((static_cast<double>(logits[token]) - static_cast<double>(*largest)) / options.temperature);
    cumulative.push_back(sum);
  }
  const auto found = std::upper_bound(cumulative.begin(), cumulative.end() - 1, uniform * sum);
  return static_cast<std::uint32_t>(tokens[static_cast<std::size_t>(found - cumulative.begin())]);
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
    tokens.push_back(draw_token(logits, options, uniform));
    if (tokens.back() == end_token) return;
  }
}

template void generate(const Kokkos::DefaultExecutionSpace&, Llama<Kokkos::DefaultExecutionSpace, float>&,
                       std::uint32_t, const SamplingOptions&, std::vector<std::uint32_t>&);

}  // namespace Sward
