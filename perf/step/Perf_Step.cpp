#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "Sward_LabelTimes.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_ProductTimes.hpp"
#include "Sward_Program.hpp"
#include "Sward_Step.hpp"
#ifdef KOKKOS_ENABLE_CUDA
#include <cuda_runtime_api.h>
#endif

namespace {

using namespace Sward;
using Perf::Step;
using Perf::StepCase;

struct Arguments {
  std::vector<std::string> cases;
  Perf::StepOptions step;
  int steps = 30;
  int warmup = 8;
  bool labels = false;
  bool products = false;
};

/// Median seconds of `count` updates; `number` decides whether they refresh.
template <class Scalar>
double median_seconds(Step<Scalar>& step, std::int64_t number, int count, double& loss) {
  std::vector<double> seconds;
  for (int i = 0; i < count; ++i) {
    loss = step.run(number);
    seconds.push_back(step.step_seconds());
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
void time_case(const StepCase& c, const Arguments& arguments, Perf::Ranks& ranks) {
  constexpr std::int64_t refreshing = Step<Scalar>::refreshing;
  constexpr std::int64_t regular = Step<Scalar>::regular;
  Step<Scalar> step(c, arguments.step, ranks);
  const double first_loss = step.run(refreshing);
  double loss = 0.0;
  median_seconds(step, regular, arguments.warmup, loss);
  const double seconds = median_seconds(step, regular, arguments.steps, loss);
  nlohmann::ordered_json line;
  line["case"] = c.text;
  line["precision"] = arguments.step.precision;
  line["recompute"] = arguments.step.recompute;
  line["state"] = arguments.step.state;
  line["deterministic"] = arguments.step.deterministic;
  line["step_seconds"] = seconds;
  line["queueing_seconds"] = step.queueing_seconds();
  line["tokens_per_second"] = std::round(step.tokens() / seconds);
  line["executed_tflops"] = step.tokens() * operations_per_token(c) / seconds * 1e-12;
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
  app.add_option("cases", arguments.cases,
                 "MODEL:LENGTH:SEQUENCES:grass:RANK or MODEL:LENGTH:SEQUENCES:adamw; MODEL is a preset or "
                 "HIDDEN/INTERMEDIATE/HEADS/LAYERS/VOCABULARY")
      ->required();
  add_options(app, arguments.step);
  app.add_option("--steps", arguments.steps, "timed updates")->check(CLI::PositiveNumber);
  app.add_option("--warmup", arguments.warmup, "updates before them")->check(CLI::PositiveNumber);
  app.add_flag("--products", arguments.products, "after it, all products by cuBLASLt of all cases by themselves");
  app.add_flag("--labels", arguments.labels, "after it, a step in which each kernel is waited for: time by label");
  CLI11_PARSE(app, argc, argv);
  return run_parallel_program("perf_step", argc, argv, [&] {
    Communicator<MpiSpace> ranks(MPI_COMM_WORLD);
    Perf::for_each_case(arguments.cases, arguments.step,
                        [&]<class Scalar>(const StepCase& c) { time_case<Scalar>(c, arguments, ranks); });
    if (arguments.products) Perf::print_product_times();
    return 0;
  });
}
