#pragma once

#include <filesystem>

namespace Sward {

/// A folder that one process at a time writes into, for as long as this lives or until the process ends, however it
/// does. The lock is on the file `.sward-lock` there, which only a killed process leaves behind.
class FolderLock {
 public:
  /// Throws InputError when another process has the folder, std::runtime_error when the file cannot be made. File
  /// systems without locks have none.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace Sward
