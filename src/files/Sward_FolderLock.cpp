#include "Sward_FolderLock.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "Sward_InputError.hpp"

namespace Sward {

namespace {

/// False if another process has it. The lock is of the open file, not of the process, whose other descriptors would end
/// it when they are closed.
bool lock(int descriptor) {
  struct flock all {};
  all.l_type = F_WRLCK;
  all.l_whence = SEEK_SET;
  return ::fcntl(descriptor, F_OFD_SETLK, &all) == 0 || (errno != EAGAIN && errno != EACCES);
}

/// Whether the file still has its name: who had the lock before may have removed it in between.
bool is_named(int descriptor, const std::filesystem::path& path) {
  struct stat own {};
  struct stat named {};
  return ::fstat(descriptor, &own) == 0 && ::stat(path.c_str(), &named) == 0 && own.st_ino == named.st_ino;
}

}  // namespace

FolderLock::FolderLock(const std::filesystem::path& folder) : path_(folder / ".sward-lock") {
  for (int attempt = 0; attempt < 100; ++attempt) {
    descriptor_ = ::open(path_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
    if (descriptor_ < 0)
      throw std::runtime_error(fmt::format("{}: cannot be made: {}", path_.string(), std::strerror(errno)));
    const bool is_ours = lock(descriptor_);
    if (is_ours && is_named(descriptor_, path_)) return;
    ::close(descriptor_);
    if (!is_ours) break;
  }
  throw InputError(folder.string() + ": another run is writing here");
}

FolderLock::~FolderLock() {
  ::unlink(path_.c_str());
  ::close(descriptor_);
}

}  // namespace Sward
