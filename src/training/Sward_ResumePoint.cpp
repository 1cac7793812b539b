#include "Sward_ResumePoint.hpp"

#include <fmt/format.h>

#include "Sward_InputError.hpp"

namespace Sward {

namespace {

using Ranks = ProcessGroup;

bool agree(const Ranks& ranks, std::uint64_t value) { return ranks.minimum(value) == ranks.maximum(value); }

[[noreturn]] void fail_for_different_starts(const std::filesystem::path& directory) {
  throw InputError(directory.string() +
                   ": ranks find different checkpoints to go on from; all ranks must see the same folder");
}

/// Why this rank cannot use the checkpoint; empty if it can, and `checkpoint` is then open.
std::string open_and_verify(const std::filesystem::path& path, const Ranks& ranks,
                            std::optional<CheckpointFile>& checkpoint) {
  try {
    checkpoint.emplace(path);
    verify_checkpoint(*checkpoint, ranks.rank(), ranks.size());
    return {};
  } catch (const InputError& error) {
    return error.what();
  }
}

std::optional<CheckpointFile> find_newest(const std::filesystem::path& directory, const Ranks& ranks,
                                          const Report& report) {
  const auto candidates = list_checkpoints(directory);
  // Every rank looks for itself: a folder that is not shared, or a stale listing, shows here.
  std::uint64_t fingerprint = 0;
  for (const auto& path : candidates)
    fingerprint = 31 * fingerprint + static_cast<std::uint64_t>(checkpoint_step(path));
  if (!agree(ranks, fingerprint)) fail_for_different_starts(directory);
  for (const auto& path : candidates) {
    std::optional<CheckpointFile> checkpoint;
    const std::string error = open_and_verify(path, ranks, checkpoint);
    const auto size = static_cast<std::uint64_t>(ranks.size());
    const auto rank = static_cast<std::uint64_t>(ranks.rank());
    const std::uint64_t first_to_fail = ranks.minimum(error.empty() ? size : rank);
    if (first_to_fail == size) return checkpoint;
    if (first_to_fail == rank && report) report("passed over: " + error);
  }
  return std::nullopt;
}

void require_same_run(const CheckpointFile& checkpoint, const Configuration& configuration) {
  const CheckpointHeader& header = checkpoint.header();
  const std::string file = checkpoint.file().path().string();
  require_shape(file, header.shape, configuration.shape);
  if (!checkpoint.has_optimizer()) return;
  if (header.seed != configuration.seed)
    throw InputError(fmt::format("{}: was made with run.seed = {}, not {}", file, header.seed, configuration.seed));
  if (header.sequences != configuration.batch.sequences || header.sequence_length != configuration.data.sequence_length)
    throw InputError(fmt::format("{}: was made with {} sequences of {} tokens an update, not {} of {}", file,
                                 header.sequences, header.sequence_length, configuration.batch.sequences,
                                 configuration.data.sequence_length));
}

bool is_inside(const std::filesystem::path& file, const std::filesystem::path& directory) {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  return std::filesystem::equivalent(folder, directory, ignored);
}

/// Throws unless the run may write into the output directory: an empty one, or its own.
void require_own_output(const std::filesystem::path& directory, const std::string& resume,
                        const std::optional<CheckpointFile>& checkpoint) {
  const auto checkpoints = list_checkpoints(directory);
  if (checkpoint && is_inside(checkpoint->file().path(), directory)) {
    if (resume != "auto" && !checkpoints.empty() && checkpoint_step(checkpoints.front()) > checkpoint->header().step)
      throw InputError(
          fmt::format("{}: is later than the checkpoint to go on from; move it away, or name another "
                      "'output.directory'",
                      checkpoints.front().string()));
    return;
  }
  // A run that was killed before its first checkpoint starts afresh.
  if (resume == "auto" && !checkpoints.empty())
    throw InputError(directory.string() + ": already holds a run, and none of its checkpoints can be read");
  if (resume != "auto" && (!checkpoints.empty() || std::filesystem::exists(directory / "metrics.jsonl")))
    throw InputError(directory.string() +
                     ": already holds a run; go on with --resume auto, or name another 'output.directory'");
  if (std::filesystem::exists(directory) && !std::filesystem::is_directory(directory))
    throw InputError(directory.string() + ": 'output.directory' is not a directory");
}

}  // namespace

std::optional<CheckpointFile> find_resume_point(const Configuration& configuration, const std::string& resume,
                                                const ProcessGroup& communicator, const Report& report) {
  const std::filesystem::path& directory = configuration.output.directory;
  std::optional<CheckpointFile> checkpoint;
  if (resume == "auto")
    checkpoint = find_newest(directory, communicator, report);
  else if (!resume.empty())
    checkpoint.emplace(resume);
  if (checkpoint) require_same_run(*checkpoint, configuration);
  const bool same_step = agree(communicator, checkpoint ? static_cast<std::uint64_t>(checkpoint->header().step) : 0U);
  const bool same_kind = agree(communicator, (checkpoint ? 1U : 0U) + (checkpoint && checkpoint->has_optimizer()));
  if (!same_step || !same_kind) fail_for_different_starts(directory);
  require_own_output(directory, resume, checkpoint);
  if (checkpoint && !checkpoint->has_optimizer() && communicator.rank() == 0 && report)
    report(checkpoint->file().path().string() + ": has no optimizer state; moments start at zero");
  return checkpoint;
}

}  // namespace Sward
