#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "Sward_TrainingFolder.hpp"

// Batch scripts of drivers/slurm, submitted to the Slurm that $SLURM_CONF names.

namespace Sward::Test {

/// Whether a condition comes true within so many seconds.
inline bool comes_true(int seconds, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return true;
}

/// Submits a script: shell text for its variables, options of sbatch, and arguments. Returns the number of the job.
inline std::string submit(const TrainingFolder& folder, const std::string& script, const std::string& variables,
                          const std::string& options, const std::string& arguments) {
  const CommandResult result = run_command(
      "cd " + folder.path().string() + " && export SWARD_TRAIN=" + program("sward-train") + " " + variables +
      " && sbatch --parsable " + options + " " + SWARD_SCRIPTS_DIR + "/" + script + " " + arguments);
  if (result.status != 0) throw std::runtime_error("sbatch failed: " + result.output);
  return lines_of(result.output).back();
}

/// A field of each of a job's tasks, as `scontrol show job` has it.
inline std::vector<std::string> job_fields(const std::string& job, const std::string& name) {
  std::istringstream text(run_command("scontrol --oneliner show job " + job).output);
  std::vector<std::string> values;
  for (std::string word; text >> word;)
    if (word.rfind(name + "=", 0) == 0) values.push_back(word.substr(name.size() + 1));
  return values;
}

/// Whether all tasks of a job come to an end within so many seconds.
inline bool job_ends(const std::string& job, int seconds) {
  return comes_true(seconds, [&] { return run_command("squeue --noheader --jobs=" + job).output.empty(); });
}

}  // namespace Sward::Test
