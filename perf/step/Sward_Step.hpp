#pragma once

#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "Sward_Llama.hpp"
#include "Sward_Optimizer.hpp"
#include "Sward_Philox.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_ProductChoices.hpp"
#include "Sward_StepCase.hpp"

namespace Sward::Perf {

/// What the ranks of a step send their messages through.
using Ranks = ProcessGroup;

/// How a step is computed.
struct StepOptions {
  std::string precision = "bfloat16";
  std::string recompute = "none";
  std::string state = "float";
  std::size_t micro = 0;  ///< sequences of a pass; 0: all of an update
  bool deterministic = true;
  std::string message = "float";
  bool updates_at_once = true;  ///< in the backward pass, as a run on one rank does
};

inline void add_options(CLI::App& app, StepOptions& options) {
  app.add_option("--precision", options.precision, "float, bfloat16 or float8")
      ->check(CLI::IsMember({"float", "bfloat16", "float8"}));
  app.add_option("--recompute", options.recompute, "none, attention or block")
      ->check(CLI::IsMember({"none", "attention", "block"}));
  app.add_option("--state", options.state, "float, bfloat16 or int8")
      ->check(CLI::IsMember({"float", "bfloat16", "int8"}));
  app.add_option("--message", options.message, "float or bfloat16")->check(CLI::IsMember({"float", "bfloat16"}));
  app.add_flag("!--nondeterministic", options.deterministic,
               "run.deterministic = false: measured products, attention in any order");
}

inline Recompute recompute_level(const std::string& name) {
  if (name == "attention") return Recompute::attention;
  return name == "block" ? Recompute::block : Recompute::none;
}

inline std::vector<std::int32_t> random_tokens(std::size_t count, std::int64_t vocabulary, std::uint64_t seed) {
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<std::int32_t>(uniform_open(Draw{seed, 0, 0}, i) * static_cast<double>(vocabulary));
  return tokens;
}

inline OptimizerOptions optimizer_options(const StepCase& c, const StepOptions& step, int ranks) {
  OptimizerOptions options;
  if (step.state == "bfloat16") options.adam.state = StateType::bfloat16;
  if (step.state == "int8") options.adam.state = StateType::int8;
  options.grass = c.grass;
  options.grass_constants.rank = c.rank;
  options.updates_at_once = step.updates_at_once;
  options.overlaps_refresh = ranks > 1;
  options.bfloat16_messages = step.message == "bfloat16" && !step.updates_at_once;
  return options;
}

/// Calls function.template operator()<Scalar>(case) for each case, in the type that the precision asks for.
template <class Function>
void for_each_case(const std::vector<std::string>& cases, const StepOptions& options, const Function& function) {
  for (const std::string& text : cases) {
    const StepCase c = read_case(text);
    if (options.precision == "float")
      function.template operator()<float>(c);
    else
      function.template operator()<BFloat16>(c);
  }
}

/// Sequences of a pass, which must divide those of an update.
inline std::size_t sequences_of_pass(const StepCase& c, const StepOptions& options) {
  const std::size_t micro = options.micro == 0 ? c.sequences : options.micro;
  if (micro == 0 || c.sequences % micro != 0)
    throw std::invalid_argument("'" + c.text + "': sequences must be a multiple of " + std::to_string(micro));
  return micro;
}

/// Model and optimizer of a case in an arena of their own, and the updates that the trainer would make of them, on
/// random tokens.
template <class Scalar>
class Step {
  using Space = Kokkos::DefaultExecutionSpace;
  using Clock = std::chrono::steady_clock;

 public:
  /// A step whose number is a multiple of the interval refreshes.
  static constexpr std::int64_t refreshing = 0;
  static constexpr std::int64_t regular = 1;

  Step(const StepCase& c, const StepOptions& options, Ranks& ranks) : ranks_(ranks) {
    const std::size_t micro = sequences_of_pass(c, options);
    passes_ = static_cast<int>(c.sequences / micro);
    const BatchShape batch{micro, c.length, true, options.deterministic, options.precision == "float8"};
    set_product_measuring(!options.deterministic);
    Arena<Space> plan = Arena<Space>::measuring();
    place(plan, c, batch, options);
    arena_.emplace(Arena<Space>::holding(plan.bytes()));
    place(*arena_, c, batch, options);
    model_->initialize(space_);
    optimizer_->initialize(space_);
    model_->initialize_weights(space_, 1);
    const auto seed = 2 * static_cast<std::uint64_t>(ranks.rank());
    model_->set_batch(space_, random_tokens(batch.tokens(), c.shape.vocab_size, seed + 1),
                      random_tokens(batch.tokens(), c.shape.vocab_size, seed + 2));
    tokens_ = static_cast<double>(batch.tokens()) * passes_ * ranks.size();
  }

  /// Mean loss of one update as the trainer makes it.
  double run(std::int64_t number) {
    const Clock::time_point begin = Clock::now();
    double loss = 0.0;
    optimizer_->begin_update(space_, number, passes_, 1e-4);
    for (int pass = 0; pass < passes_; ++pass) {
      model_->forward_backward(space_, 1.0 / tokens_, *optimizer_);
      queueing_seconds_ = seconds_since(begin);
      loss += model_->loss_sum(space_);
    }
    passes_seconds_ = seconds_since(begin);
    loss = ranks_.sum(loss);
    const GradientNorm gradient = optimizer_->finish_gradients();
    optimizer_->apply(gradient.norm);
    space_.fence("Sward::Perf::Step");
    step_seconds_ = seconds_since(begin);
    return loss / tokens_;
  }

  const Optimizer<Space, Scalar>& optimizer() const { return *optimizer_; }
  std::size_t arena_bytes() const { return arena_->bytes(); }
  /// Tokens of an update over all ranks.
  double tokens() const { return tokens_; }
  double step_seconds() const { return step_seconds_; }
  /// Of the last update until both passes were through, and the updates within them.
  double passes_seconds() const { return passes_seconds_; }
  /// What it took the host to queue both passes of the last update; on a device they are hardly begun by then.
  double queueing_seconds() const { return queueing_seconds_; }

 private:
  static double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  void place(Arena<Space>& arena, const StepCase& c, const BatchShape& batch, const StepOptions& options) {
    optimizer_.reset();
    model_.emplace(arena, c.shape, batch, recompute_level(options.recompute));
    optimizer_.emplace(arena, model_->parameters(), model_->padded_weights(), batch.tokens(),
                       optimizer_options(c, options, ranks_.size()), ranks_);
  }

  Ranks& ranks_;
  Space space_;
  std::optional<Arena<Space>> arena_;
  std::optional<Llama<Space, Scalar>> model_;
  std::optional<Optimizer<Space, Scalar>> optimizer_;
  int passes_ = 1;
  double tokens_ = 0.0;
  double step_seconds_ = 0.0;
  double passes_seconds_ = 0.0;
  double queueing_seconds_ = 0.0;
};

}  // namespace Sward::Perf
