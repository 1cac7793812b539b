#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "Sward_CheckpointFile.hpp"
#include "Sward_InputError.hpp"
#include "Sward_RunCommand.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFileWriter.hpp"

namespace Sward::Test {

/// Every file below a folder with its bytes, and every folder with none.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    files[entry.path().string()] = entry.is_directory() ? "a folder" : read_file(entry.path());
  return files;
}

/// Runs a command and keeps only what it prints on standard error.
inline CommandResult run_for_errors(const std::string& command) {
  return run_command("{ " + command + " > /dev/null; }");
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The lines of a text that begin so.
inline std::vector<std::string> lines_with(const std::string& text, const std::string& begin) {
  std::vector<std::string> found;
  for (const std::string& line : lines_of(text))
    if (line.rfind(begin, 0) == 0) found.push_back(line);
  return found;
}

/// Tokens of no text, the same for a seed.
inline std::vector<std::uint32_t> random_tokens(std::size_t count, std::uint32_t vocabulary, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<std::uint32_t> tokens(count);
  for (std::uint32_t& token : tokens) token = static_cast<std::uint32_t>(engine() % vocabulary);
  return tokens;
}

inline void write_token_file(const std::filesystem::path& path, const std::vector<std::uint32_t>& tokens,
                             std::uint32_t vocabulary, const std::string& tokenizer = "none") {
  TokenFileWriter writer(path, vocabulary, tokenizer, "");
  writer.append(tokens);
  writer.commit();
}

/// The numbers of every array of a checkpoint below this group, by their path in the file.
inline std::map<std::string, std::vector<double>> arrays_below(const Hdf5File& file, const std::string& group) {
  std::map<std::string, std::vector<double>> arrays;
  for (const std::string& name : file.names(group)) {
    const std::string path = group + "/" + name;
    if (group == "/optimizer") {
      arrays.merge(arrays_below(file, path));
      arrays[path + " count"] = {static_cast<double>(file.attribute<std::int64_t>(path, "count"))};
      continue;
    }
    const std::vector<std::size_t> extents = file.extents(path);
    std::size_t size = 1;
    for (const std::size_t extent : extents) size *= extent;
    arrays[path].resize(size);
    // Every number of a checkpoint fits into double, but HDF5 is asked for integers as integers.
    try {
      const std::vector<std::int64_t> integers = file.read<std::int64_t>(path, extents);
      arrays[path].assign(integers.begin(), integers.end());
    } catch (const InputError&) {
      file.read(path, std::span<double>(arrays[path]), extents);
    }
  }
  return arrays;
}

/// Weights and optimizer states of a checkpoint.
inline std::map<std::string, std::vector<double>> state_of(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open_read(path);
  auto arrays = arrays_below(file, "/weights");
  arrays.merge(arrays_below(file, "/optimizer"));
  return arrays;
}

/// The lines of a run's metrics without the times, which no two runs share.
inline std::vector<nlohmann::json> timeless_metrics(const std::filesystem::path& output) {
  std::vector<nlohmann::json> lines;
  for (const std::string& line : lines_of(read_file(output / "metrics.jsonl"))) {
    lines.push_back(nlohmann::json::parse(line));
    lines.back().erase("tokens_per_second");
    lines.back().erase("step_seconds");
  }
  return lines;
}

/// A folder with token files and the configuration of a run that takes a fraction of a second.
class TrainingFolder {
 public:
  static constexpr std::uint32_t vocabulary = 32;

  TrainingFolder() {
    write_token_file(folder_ / "train.h5", random_tokens(1000, vocabulary, 1), vocabulary);
    write_token_file(folder_ / "validation.h5", random_tokens(100, vocabulary, 2), vocabulary);
    write_file(folder_ / "run.toml", configuration());
  }

  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  const std::filesystem::path& path() const { return folder_.path(); }

  std::string configuration() const {
    return "[model]\nhidden_size = 16\nintermediate_size = 24\nnum_heads = 2\nnum_layers = 1\nvocab_size = 32\n"
           "[data]\ntrain = '" +
           (folder_ / "train.h5").string() + "'\nvalidation = '" + (folder_ / "validation.h5").string() +
           "'\nsequence_length = 8\n[batch]\nsequences = 4\nmicro = 2\n[optimizer]\nlearning_rate = 0.01\n"
           "[grass]\nrank = 4\nrefresh_interval = 3\nrefresh_warmup = 2\n[schedule]\nsteps = 4\nshape = 'constant'\n"
           "[output]\ndirectory = '" +
           (folder_ / "out").string() + "'\n[run]\nseed = 5\n";
  }

  /// The command line of sward-train with this folder's configuration; settings are `section.key=value`.
  std::string train(const std::vector<std::string>& settings = {}, const std::string& rest = "", int ranks = 1) const {
    std::string command = program("sward-train") + " " + (folder_ / "run.toml").string();
    for (const std::string& setting : settings) command += " --set '" + setting + "'";
    return on_ranks(ranks, command + " " + rest);
  }

  std::filesystem::path checkpoint(std::int64_t step, const std::string& output = "out") const {
    return checkpoint_path(folder_ / output, step);
  }
  std::string output_setting(const std::string& output) const {
    return "output.directory=" + (folder_ / output).string();
  }

 private:
  TemporaryFolder folder_;
};

/// Shell text that starts a command in the background, waits for the end of its first update, runs `then` with the
/// command's process as $run, and ends with the command's status.
inline std::string while_it_runs(const TrainingFolder& folder, const std::string& command, const std::string& then) {
  const std::string log = (folder / "log").string();
  return ": > " + log + "; " + command + " > " + log + " 2>&1 & run=$!; until grep -q '^step' " + log +
         " || ! kill -0 $run; do sleep 0.02; done; " + then + "; wait $run";
}

/// Shell text for the processes that mpirun has started; none for a run alone.
inline const std::string children_of_run = "$(cat /proc/$run/task/$run/children)";

}  // namespace Sward::Test
