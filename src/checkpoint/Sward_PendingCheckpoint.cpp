#include "Sward_PendingCheckpoint.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

#include "Sward_CheckpointFile.hpp"

namespace Sward {

namespace {

/// What went wrong with it, or nothing.
std::string remove_older_checkpoints(const std::filesystem::path& newest, std::int64_t keep) {
  const auto all = list_checkpoints(newest.parent_path());
  const auto first = std::find(all.begin(), all.end(), newest);
  std::string complaint;
  for (auto i = first; i != all.end(); ++i) {
    std::error_code error;
    if (i - first >= keep) std::filesystem::remove(*i, error);
    if (error) complaint = i->string() + ": cannot be removed: " + error.message();
  }
  return complaint;
}

}  // namespace

PendingCheckpoint::PendingCheckpoint(AtomicFile file, std::int64_t keep)
    : path_(file.target()), done_(std::async(std::launch::async, [file = std::move(file), keep]() mutable {
        file.commit();
        return remove_older_checkpoints(file.target(), keep);
      })) {}

bool PendingCheckpoint::is_ready() const {
  return done_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

}  // namespace Sward
