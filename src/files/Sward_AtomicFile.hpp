#pragma once

#include <filesystem>

namespace Sward {

/// A file that appears under its name whole or not at all: its writer fills `temporary()`, a new empty file in the
/// same folder, and calls `commit()`. Without a commit the temporary is removed and the target stays as it was.
class AtomicFile {
 public:
  /// Creates the temporary. Throws std::runtime_error naming the file when the folder cannot be written to.
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::filesystem::path& target() const { return target_; }
  const std::filesystem::path& temporary() const { return temporary_; }

  /// Writes the temporary to the disk, as `commit()` would; every writer must have closed it before.
  void sync();
  /// Syncs the temporary, renames it to the target and syncs the folder; every writer must have closed it before.
  /// Throws std::runtime_error naming the file; the temporary is then removed by the destructor.
  void commit();

 private:
  void remove_temporary() noexcept;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
};

/// Removes what interrupted writes have left in a folder. No other process may be writing there.
void remove_temporaries(const std::filesystem::path& folder);

}  // namespace Sward
