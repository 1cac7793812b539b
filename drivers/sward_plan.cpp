#include "Sward_Plan.hpp"

#include <fmt/format.h>

#include "Sward_CommandLine.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_Program.hpp"

namespace {

struct Arguments {
  std::string configuration;
  std::vector<std::string> settings;
  int ranks = 1;
  bool json = false;
};

void describe(CLI::App& app, Arguments& arguments) {
  app.add_option("configuration", arguments.configuration, "TOML file; its keys are described in docs/configuration.md")
      ->required();
  app.add_option("--ranks", arguments.ranks, "ranks of the run that is planned")
      ->check(CLI::Range(1, 1'000'000'000))
      ->capture_default_str();
  app.add_option("--set", arguments.settings, "section.key=value, over what the file says; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--json", arguments.json, "print one JSON object instead of a table (docs/file-formats.md)");
  app.footer(
      "Needs no mpirun, no data and none of the memory that it plans. Of the training data it takes the length alone,\n"
      "where the file is there. Start it with the OMP_NUM_THREADS of the run.\n"
      "Exit status: 0 planned, 2 bad input, 1 failed.");
}

int plan(const Arguments& arguments) {
  Sward::Communicator<Sward::MpiSpace> communicator(MPI_COMM_WORLD);
  const Sward::Configuration configuration = Sward::read_configuration(arguments.configuration, arguments.settings);
  Sward::check_batch(configuration, arguments.ranks);
  const Sward::Plan plan =
      Sward::plan_training(configuration, arguments.ranks, Sward::find_data_size(configuration.data), communicator);
  if (communicator.rank() == 0)
    fmt::print("{}", arguments.json ? Sward::plan_json(plan) + "\n" : Sward::plan_text(plan));
  return Sward::ExitStatus::finished;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Plans the memory and the messages of a training run, before it starts.", "sward-plan");
  Arguments arguments;
  describe(app, arguments);
  const Sward::CommandLine command_line(app, argc, argv);
  if (command_line.shows_help()) return Sward::ExitStatus::finished;
  return Sward::run_parallel_program("sward-plan", argc, argv, [&] {
    command_line.require_valid();
    return plan(arguments);
  });
}
