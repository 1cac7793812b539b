#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "Sward_Configuration.hpp"
#include "Sward_LabelTimes.hpp"
#include "Sward_Llama.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_Optimizer.hpp"
#include "Sward_Philox.hpp"
#include "Sward_ProductTimes.hpp"
#include "Sward_Program.hpp"
#ifdef KOKKOS_ENABLE_CUDA
#include <cuda_runtime_api.h>
#endif

namespace {

using Space = Kokkos::DefaultExecutionSpace;
using namespace Sward;

/// What is timed: PRESET:LENGTH:SEQUENCES:METHOD[:RANK], as the peer's program takes it.
struct Case {
  std::string text;
  LlamaShape shape;
  BatchShape batch;
  bool grass = true;
  std::int64_t rank = 0;
};

struct Arguments {
  std::vector<std::string> cases;
  std::string precision = "bfloat16";
  std::string recompute = "none";
  std::string state = "float";
  int steps = 30;
  int warmup = 8;
  bool labels = false;
  bool products = false;
  bool deterministic = true;
};

Case read_case(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> fields;
  for (std::string field; std::getline(stream, field, ':');) fields.push_back(field);
  if (fields.size() < 4 || (fields[3] != "grass" && fields[3] != "adamw") ||
      (fields[3] == "grass" && fields.size() < 5))
    throw std::invalid_argument("'" + text + "' is no case: PRESET:LENGTH:SEQUENCES:grass:RANK or ...:adamw");
  Case result;
  result.text = text;
  result.shape = preset_shape(fields[0]);
  result.batch = {std::stoul(fields[2]), std::stoul(fields[1]), true};
  result.grass = fields[3] == "grass";
  if (result.grass) result.rank = std::stol(fields[4]);
  return result;
}

Recompute recompute_level(const std::string& name) {
  if (name == "attention") return Recompute::attention;
  return name == "block" ? Recompute::block : Recompute::none;
}

/// Floating-point operations that a step executes, a token: 2 for each multiply-add; half of the scores, as the mask
/// leaves the others out.
double operations_per_token(const Case& c) {
  const auto d = static_cast<double>(c.shape.hidden_size);
  const auto f = static_cast<double>(c.shape.intermediate_size);
  const auto layers = static_cast<double>(c.shape.num_layers);
  const double r = std::min(static_cast<double>(c.rank), d);
  const double head = static_cast<double>(c.shape.vocab_size) * d;
  const double block = 4 * d * d + 3 * d * f;
  const double gradient = c.grass ? 4 * r * d + 3 * r * f : block;
  const double attention = 2 * d * static_cast<double>(c.batch.length);
  return layers * (2 * 2 * block + 2 * gradient + 3.5 * attention) + 6 * head;
}

std::vector<std::int32_t> random_tokens(std::size_t count, std::int64_t vocabulary, std::uint64_t seed) {
  std::vector<std::int32_t> tokens(count);
  for (std::size_t i = 0; i < count; ++i)
    tokens[i] = static_cast<std::int32_t>(uniform_open(Draw{seed, 0, 0}, i) * static_cast<double>(vocabulary));
  return tokens;
}

OptimizerOptions optimizer_options(const Case& c, const std::string& state) {
  OptimizerOptions options;
  if (state == "bfloat16") options.adam.state = StateType::bfloat16;
  if (state == "int8") options.adam.state = StateType::int8;
  options.grass = c.grass;
  options.grass_constants.rank = c.rank;
  options.updates_at_once = true;
  return options;
}

/// Model and optimizer of a case in an arena of their own.
template <class Scalar>
class Step {
 public:
  Step(const Case& c, const Arguments& arguments, ProcessGroup& communicator) {
    Arena<Space> plan = Arena<Space>::measuring();
    place(plan, c, arguments, communicator);
    arena_.emplace(Arena<Space>::holding(plan.bytes()));
    place(*arena_, c, arguments, communicator);
    model_->initialize(space_);
    optimizer_->initialize(space_);
    model_->initialize_weights(space_, 1);
    const std::size_t tokens = c.batch.tokens();
    model_->set_batch(space_, random_tokens(tokens, c.shape.vocab_size, 1),
                      random_tokens(tokens, c.shape.vocab_size, 2));
    tokens_ = static_cast<double>(tokens);
  }

  /// Loss of one update as the trainer makes it.
  double run(std::int64_t number) {
    const auto begin = std::chrono::steady_clock::now();
    optimizer_->begin_update(space_, number, 1, 1e-4);
    model_->forward_backward(space_, 1.0 / tokens_, *optimizer_);
    queueing_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double loss = model_->loss_sum(space_) / tokens_;
    const GradientNorm gradient = optimizer_->finish_gradients();
    optimizer_->apply(gradient.norm);
    space_.fence("Sward::Perf::Step");
    return loss;
  }

  std::size_t arena_bytes() const { return arena_->bytes(); }
  /// What it took the host to queue both passes of the last update; on a device they are hardly begun by then.
  double queueing_seconds() const { return queueing_seconds_; }

 private:
  void place(Arena<Space>& arena, const Case& c, const Arguments& arguments, ProcessGroup& communicator) {
    optimizer_.reset();
    BatchShape batch = c.batch;
    batch.deterministic = arguments.deterministic;
    batch.float8 = arguments.precision == "float8";
    model_.emplace(arena, c.shape, batch, recompute_level(arguments.recompute));
    optimizer_.emplace(arena, model_->parameters(), model_->padded_weights(), c.batch.tokens(),
                       optimizer_options(c, arguments.state), communicator);
  }

  Space space_;
  std::optional<Arena<Space>> arena_;
  std::optional<Llama<Space, Scalar>> model_;
  std::optional<Optimizer<Space, Scalar>> optimizer_;
  double tokens_ = 0.0;
  double queueing_seconds_ = 0.0;
};

/// Median seconds of `count` updates; `number` decides whether they refresh.
template <class Scalar>
double median_seconds(Step<Scalar>& step, std::int64_t number, int count, double& loss) {
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    loss = step.run(number);
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

/// Memory in use on the device by the driver's count, in bytes; 0 on hosts.
std::size_t device_memory_in_use() {
#ifdef KOKKOS_ENABLE_CUDA
  std::size_t available = 0;
  std::size_t all = 0;
  if (cudaMemGetInfo(&available, &all) == cudaSuccess) return all - available;
#endif
  return 0;
}

template <class Scalar>
void time_case(const Case& c, const Arguments& arguments, ProcessGroup& communicator) {
  constexpr std::int64_t refreshing = 0;
  constexpr std::int64_t regular = 1;
  Step<Scalar> step(c, arguments, communicator);
  const double first_loss = step.run(refreshing);
  double loss = 0.0;
  median_seconds(step, regular, arguments.warmup, loss);
  const double seconds = median_seconds(step, regular, arguments.steps, loss);
  nlohmann::ordered_json line;
  const double tokens = static_cast<double>(c.batch.tokens());
  line["case"] = c.text;
  line["precision"] = arguments.precision;
  line["recompute"] = arguments.recompute;
  line["state"] = arguments.state;
  line["deterministic"] = arguments.deterministic;
  line["step_seconds"] = seconds;
  line["queueing_seconds"] = step.queueing_seconds();
  line["tokens_per_second"] = std::round(tokens / seconds);
  line["executed_tflops"] = tokens * operations_per_token(c) / seconds * 1e-12;
  double unused = 0.0;
  if (c.grass) line["refresh_over_regular"] = median_seconds(step, refreshing, 3, unused) / seconds;
  line["arena_gib"] = static_cast<double>(step.arena_bytes()) / (1U << 30);
  line["device_gib"] = static_cast<double>(device_memory_in_use()) / (1U << 30);
  line["first_loss"] = first_loss;
  line["loss"] = loss;
  std::puts(line.dump().c_str());
  if (arguments.labels) {
    const Perf::LabelTimes times;
    step.run(regular);
    times.print();
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times whole updates on random tokens, one JSON line a case: median seconds, tokens/s, executed TFLOP/s, a "
      "refresh beside a regular update, memory of the arena and, on GPUs, by the driver's count.");
  Arguments arguments;
  app.add_option("cases", arguments.cases, "PRESET:LENGTH:SEQUENCES:grass:RANK or PRESET:LENGTH:SEQUENCES:adamw")
      ->required();
  app.add_option("--precision", arguments.precision, "float, bfloat16 or float8")
      ->check(CLI::IsMember({"float", "bfloat16", "float8"}));
  app.add_option("--recompute", arguments.recompute, "none, attention or block")
      ->check(CLI::IsMember({"none", "attention", "block"}));
  app.add_option("--state", arguments.state, "float, bfloat16 or int8")
      ->check(CLI::IsMember({"float", "bfloat16", "int8"}));
  app.add_option("--steps", arguments.steps, "timed updates")->check(CLI::PositiveNumber);
  app.add_option("--warmup", arguments.warmup, "updates before them")->check(CLI::PositiveNumber);
  app.add_flag("--products", arguments.products, "after it, all products by cuBLASLt of all cases by themselves");
  app.add_flag("!--nondeterministic", arguments.deterministic, "attention may add in any order");
  app.add_flag("--labels", arguments.labels, "after it, a step in which each kernel is waited for: time by label");
  CLI11_PARSE(app, argc, argv);
  return run_parallel_program("perf_step", argc, argv, [&] {
    Communicator<MpiSpace> communicator;
    for (const std::string& text : arguments.cases) {
      const Case c = read_case(text);
      if (arguments.precision == "float")
        time_case<float>(c, arguments, communicator);
      else
        time_case<BFloat16>(c, arguments, communicator);
    }
    if (arguments.products) Perf::print_product_times();
    return 0;
  });
}
