#include "Sward_DiskCheck.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "Sward_CheckpointFile.hpp"
#include "Sward_Format.hpp"
#include "Sward_InputError.hpp"

namespace Sward {

namespace {

std::filesystem::path nearest_folder(const std::filesystem::path& folder) {
  std::filesystem::path existing = std::filesystem::absolute(folder);
  while (!std::filesystem::exists(existing)) existing = existing.parent_path();
  return existing;
}

/// Checkpoints that the run will have at once: an older one goes only when the next is durable.
std::uintmax_t most_at_once(const OutputOptions& output, std::int64_t steps) {
  const std::int64_t interval = output.checkpoint_interval;
  const std::int64_t all = 1 + (interval > 0 ? (steps - 1) / interval : 0);
  return static_cast<std::uintmax_t>(std::min(output.keep + 1, all));
}

}  // namespace

std::string check_disk(const OutputOptions& output, std::int64_t steps, std::size_t checkpoint_bytes) {
  const std::string directory = output.directory.string();
  const std::filesystem::path folder = nearest_folder(output.directory);
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    throw InputError(fmt::format("{}: cannot be written to: {}", directory, std::strerror(errno)));
  const std::uintmax_t available = std::filesystem::space(folder).available;
  const std::string size = bytes_text(checkpoint_bytes);
  if (available < checkpoint_bytes)
    throw InputError(
        fmt::format("{}: a checkpoint takes {}, and there is room for {}", directory, size, bytes_text(available)));
  const bool is_there = std::filesystem::exists(output.directory);
  const std::uintmax_t room = available / checkpoint_bytes + (is_there ? list_checkpoints(output.directory).size() : 0);
  const std::uintmax_t wanted = most_at_once(output, steps);
  if (room >= wanted) return "";
  return fmt::format("{}: there is room for {} of the {} checkpoints of {} that will be there at once (output.keep)",
                     directory, room, wanted, size);
}

}  // namespace Sward
