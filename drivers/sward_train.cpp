#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "Sward_CommandLine.hpp"
#include "Sward_InputError.hpp"
#include "Sward_OpenProcessGroup.hpp"
#include "Sward_PeerWatch.hpp"
#include "Sward_Program.hpp"
#include "Sward_StopRequest.hpp"
#include "Sward_Trainer.hpp"

namespace {

struct Arguments {
  std::string configuration;
  std::vector<std::string> settings;
  std::string resume;
  bool dry_run = false;
};

void describe(CLI::App& app, Arguments& arguments) {
  app.add_option("configuration", arguments.configuration, "TOML file; its keys are described in docs/configuration.md")
      ->required();
  app.add_option("--set", arguments.settings, "section.key=value, over what the file says; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--resume", arguments.resume,
                 "a checkpoint to go on from, or 'auto': the newest in output.directory, if there is one")
      ->check([](const std::string& name) { return std::string(name.empty() ? "is empty" : ""); }, "");
  app.add_flag("--dry-run", arguments.dry_run, "check everything and print the plan, without a step");
  app.footer(
      "Runs alone or under mpirun or srun, one process a rank.\n"
      "SIGUSR1 and SIGTERM end the run behind the update under way, after a checkpoint.\n"
      "Exit status: 0 finished, 75 stopped on request, 2 bad input (nothing was started), 1 failed.");
}

/// The rank that is to tell has the time to, before a launcher ends it because another one has ended.
void end_for_lost_peer(const Sward::PeerLoss& loss) {
  if (!loss.is_to_be_told) std::this_thread::sleep_for(std::chrono::seconds(1));
  if (loss.is_to_be_told) fmt::print(stderr, "sward-train: {}\n", loss.text);
  std::fflush(nullptr);
  std::_Exit(Sward::ExitStatus::failed);
}

template <class Scalar>
int train(const Sward::Configuration& configuration, const Arguments& arguments, Sward::ProcessGroup& communicator) {
  Sward::Trainer<Scalar> trainer(configuration, arguments.resume, communicator, [](const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  });
  if (communicator.rank() == 0) fmt::print("{}", Sward::plan_text(trainer.plan()));
  if (arguments.dry_run || trainer.run(Sward::stop_is_requested)) return Sward::ExitStatus::finished;
  if (communicator.rank() == 0) fmt::print("stopped on request; go on with --resume auto\n");
  return Sward::ExitStatus::stopped;
}

int train(const Arguments& arguments) {
  Sward::Communicator<Sward::MpiSpace> mpi(MPI_COMM_WORLD);
  const std::string& resume = arguments.resume;
  const std::filesystem::path checkpoint = resume == "auto" ? "" : resume;
  const Sward::Configuration configuration =
      Sward::read_configuration(arguments.configuration, arguments.settings, checkpoint);
  const auto group = Sward::open_process_group(configuration.communication, mpi);
  const std::chrono::milliseconds timeout(std::llround(1e3 * configuration.timeout_seconds));
  const Sward::PeerWatch watch(*group, timeout, end_for_lost_peer);
  if (configuration.precision == Sward::Precision::float32) return train<float>(configuration, arguments, *group);
  return train<Sward::BFloat16>(configuration, arguments, *group);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Pretrains a LLaMA with Grass or AdamW.", "sward-train");
  Arguments arguments;
  describe(app, arguments);
  const Sward::CommandLine command_line(app, argc, argv);
  if (command_line.shows_help()) return Sward::ExitStatus::finished;
  // Before MPI, whose start takes a while: a request at that time counts too.
  Sward::watch_for_stop_signals();
  return Sward::run_parallel_program("sward-train", argc, argv, [&] {
    command_line.require_valid();
    return train(arguments);
  });
}
