#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <string>

#include "Sward_AtomicFile.hpp"

namespace Sward {

/// A checkpoint that is written, but not yet on the disk: in the background it is synced and gets its name, and only
/// then are older ones removed. Training goes on meanwhile; the file's data wait in the system's page cache, as far as
/// memory allows.
class PendingCheckpoint {
 public:
  /// Of the checkpoints in the folder of `file`, this one and the `keep - 1` before it stay. Later ones, which a run
  /// that went on from an earlier one could not read, stay too and push none out.
  PendingCheckpoint(AtomicFile file, std::int64_t keep);

  const std::filesystem::path& path() const { return path_; }
  /// Whether `finish` would return at once.
  bool is_ready() const;
  /// Waits until the checkpoint is durable. Throws std::runtime_error naming the file when it cannot be; older ones are
  /// then all there. Returns a sentence about an older one that could not be removed, or nothing.
  std::string finish() { return done_.get(); }

 private:
  std::filesystem::path path_;
  std::future<std::string> done_;
};

}  // namespace Sward
