#include <CLI/CLI.hpp>
#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "Sward_LabelTimes.hpp"
#include "Sward_MpiTimes.hpp"
#include "Sward_OpenProcessGroup.hpp"
#include "Sward_Program.hpp"
#include "Sward_Step.hpp"

namespace {

using namespace Sward;
using nlohmann::ordered_json;
using Perf::Ranks;
using Perf::Step;
using Perf::StepCase;

struct Arguments {
  std::vector<std::string> cases;
  Perf::StepOptions step;
  int steps = 5;
  int warmup = 1;
  std::string communication = "auto";
};

CommunicationLibrary library_of(const std::string& name) {
  if (name == "mpi") return CommunicationLibrary::mpi;
  return name == "nccl" ? CommunicationLibrary::nccl : CommunicationLibrary::automatic;
}

/// Seconds of an update: of the slowest rank, and for messages the mean of all ranks.
struct Times {
  double step = 0.0;
  double passes = 0.0;
  Perf::MpiTimes messages;
};

double largest(const Ranks& ranks, double seconds) {
  constexpr double nanosecond = 1e-9;
  return static_cast<double>(ranks.maximum(static_cast<std::uint64_t>(seconds / nanosecond))) * nanosecond;
}

double mean(const Ranks& ranks, double seconds) { return ranks.sum(seconds) / ranks.size(); }

/// Updates of one kind, the shortest first; `ranks` start each together, whether or not the step has messages to send.
template <class Scalar>
std::vector<Times> time_steps(Step<Scalar>& step, std::int64_t number, int count, const Ranks& ranks) {
  std::vector<Times> times;
  for (int i = 0; i < count; ++i) {
    ranks.barrier();
    Perf::mpi_times() = {};
    step.run(number);
    const Perf::MpiTimes messages = Perf::mpi_times();
    times.push_back({largest(ranks, step.step_seconds()),
                     largest(ranks, step.passes_seconds()),
                     {mean(ranks, messages.waiting), mean(ranks, messages.moving)}});
  }
  std::sort(times.begin(), times.end(), [](const Times& a, const Times& b) { return a.step < b.step; });
  return times;
}

const Times& median(const std::vector<Times>& sorted) { return sorted[sorted.size() / 2]; }

/// Refreshes once, as the first update of a run does, warms up, and times.
template <class Scalar>
std::vector<Times> time_regular_steps(Step<Scalar>& step, const Arguments& arguments, const Ranks& ranks) {
  step.run(Step<Scalar>::refreshing);
  time_steps(step, Step<Scalar>::regular, arguments.warmup, ranks);
  return time_steps(step, Step<Scalar>::regular, arguments.steps, ranks);
}

ordered_json describe(const StepCase& c, const Perf::StepOptions& options, const Ranks& ranks) {
  ordered_json line;
  line["case"] = c.text;
  line["method"] = c.grass ? "grass" : "adamw";
  line["hidden_size"] = c.shape.hidden_size;
  line["intermediate_size"] = c.shape.intermediate_size;
  line["num_layers"] = c.shape.num_layers;
  line["vocab_size"] = c.shape.vocab_size;
  line["grass_rank"] = c.rank;
  line["precision"] = options.precision;
  line["recompute"] = options.recompute;
  line["state"] = options.state;
  line["message"] = options.message;
  line["ranks"] = ranks.size();
  line["threads"] = Kokkos::num_threads();
  line["length"] = c.length;
  line["sequences"] = c.sequences;
  line["micro"] = sequences_of_pass(c, options);
  line["operations_per_token"] = operations_per_token(c);
  return line;
}

/// The same updates as on all ranks, at the same time on each, but with nobody to send messages to.
template <class Scalar>
void time_alone(const StepCase& c, const Arguments& arguments, const Perf::StepOptions& options, const Ranks& ranks,
                ordered_json& line) {
  Communicator<MpiSpace> alone(MPI_COMM_SELF);
  Step<Scalar> step(c, options, alone);
  const Times times = median(time_regular_steps(step, arguments, ranks));
  line["local_seconds"] = times.step;
  line["passes_seconds"] = times.passes;
  const Perf::LabelTimes labels;
  step.run(Step<Scalar>::regular);
  line["products_seconds"] = labels.seconds_with("_product");
}

/// Bytes of the messages of a regular update, in the order in which the backward pass starts them.
std::vector<std::size_t> messages_of(const std::vector<MessageSize>& planned) {
  std::vector<std::size_t> bytes;
  for (auto message = planned.rbegin(); message != planned.rend(); ++message) bytes.push_back(message->regular);
  return bytes;
}

template <class Scalar>
void time_together(const StepCase& c, const Arguments& arguments, const Perf::StepOptions& options, Ranks& ranks,
                   ordered_json& line) {
  Step<Scalar> step(c, options, ranks);
  const std::vector<Times> times = time_regular_steps(step, arguments, ranks);
  const Times& middle = median(times);
  line["tokens"] = step.tokens();
  line["tokens_per_second"] = step.tokens() / middle.step;
  line["step_seconds"] = middle.step;
  line["least_step_seconds"] = times.front().step;
  line["waiting_seconds"] = middle.messages.waiting;
  line["moving_seconds"] = middle.messages.moving;
  line["communicated_bytes"] = step.optimizer().communicated_bytes();
  line["messages"] = messages_of(step.optimizer().planned_messages());
  line["refresh_seconds"] = median(time_steps(step, Step<Scalar>::refreshing, 1, ranks)).step;
  line["refresh_bytes"] = step.optimizer().communicated_bytes();
}

template <class Scalar>
void time_case(const StepCase& c, const Arguments& arguments, Ranks& ranks) {
  Perf::StepOptions options = arguments.step;
  options.updates_at_once = ranks.size() == 1 && sequences_of_pass(c, options) == c.sequences;
  ordered_json line = describe(c, options, ranks);
  time_alone<Scalar>(c, arguments, options, ranks, line);
  time_together<Scalar>(c, arguments, options, ranks, line);
  // All that had messages, for comparison with what has passed through a network meanwhile.
  line["updates"] = arguments.warmup + arguments.steps;
  line["refreshes"] = 2;
  if (ranks.rank() == 0) std::puts(line.dump().c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times updates on random tokens on all ranks that mpirun or srun has started, with their messages and without, "
      "and prints one JSON line a case (docs/scaling.md).");
  Arguments arguments;
  app.add_option("cases", arguments.cases,
                 "MODEL:LENGTH:SEQUENCES:grass:RANK or MODEL:LENGTH:SEQUENCES:adamw, where SEQUENCES are those of an "
                 "update on each rank; MODEL is a preset or HIDDEN/INTERMEDIATE/HEADS/LAYERS/VOCABULARY")
      ->required();
  add_options(app, arguments.step);
  app.add_option("--micro", arguments.step.micro, "sequences of a pass; 0: all of an update in one");
  app.add_option("--communication", arguments.communication, "auto, mpi or nccl, as run.communication")
      ->check(CLI::IsMember({"auto", "mpi", "nccl"}));
  app.add_option("--steps", arguments.steps, "timed updates")->check(CLI::PositiveNumber);
  app.add_option("--warmup", arguments.warmup, "updates before them")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  return run_parallel_program("perf_scaling", argc, argv, [&] {
    const Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
    const auto ranks = open_process_group(library_of(arguments.communication), mpi);
    Perf::for_each_case(arguments.cases, arguments.step,
                        [&]<class Scalar>(const StepCase& c) { time_case<Scalar>(c, arguments, *ranks); });
    return 0;
  });
}
