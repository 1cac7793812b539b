#pragma once

#include <sys/wait.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace Sward::Test {

/// How a program ended, and what it printed on standard output and standard error together.
struct CommandResult {
  int status = 0;
  std::string output;
};

/// What every command runs with: one thread a rank, and no search for a cluster's networks, on which Open MPI would
/// spend more time than the programs on their work.
inline const char* const command_environment = "export OMP_NUM_THREADS=1 OMP_PROC_BIND=false OMPI_MCA_pml=ob1; ";

/// Runs a shell command. Programs of the build are named by `program`.
inline CommandResult run_command(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = ::popen((command_environment + command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start: " + command);
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) result.output.append(buffer, got);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

/// Path of one of the build's programs.
inline std::string program(const std::string& name) { return std::string(SWARD_PROGRAM_DIR) + "/" + name; }

/// A command in front of which mpirun starts so many ranks; more ranks than cores are allowed.
inline std::string on_ranks(int ranks, const std::string& command) {
  if (ranks == 1) return command;
  return "mpirun --oversubscribe --bind-to none -n " + std::to_string(ranks) + " " + command;
}

}  // namespace Sward::Test
