#include "Sward_FolderLock.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "Sward_InputError.hpp"

namespace Sward {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / ".sward-lock";
  descriptor_ = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor_ < 0)
    throw std::runtime_error(fmt::format("{}: cannot be made: {}", path.string(), std::strerror(errno)));
  // Of the open file, not of the process, whose other descriptors would end it when they are closed. Network file
  // systems have it too.
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(descriptor_, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES)) return;
  ::close(descriptor_);
  throw InputError(folder.string() + ": another run is writing here");
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace Sward
