#include "Sward_AtomicFile.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>
#include <stdexcept>
#include <utility>

namespace Sward {
namespace {

constexpr const char* temporary_suffix = ".sward-tmp";

[[noreturn]] void fail(const std::filesystem::path& path, const char* action) {
  throw std::runtime_error(fmt::format("{}: cannot {}: {}", path.string(), action, std::strerror(errno)));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

std::filesystem::path create_temporary(const std::filesystem::path& target) {
  std::random_device random;
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::filesystem::path name =
        folder_of(target) / fmt::format(".{}.{:08x}{}", target.filename().string(), random(), temporary_suffix);
    const int descriptor = ::open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      ::close(descriptor);
      return name;
    }
    if (errno != EEXIST) break;
  }
  fail(target, "create a file in its folder");
}

void sync_path(const std::filesystem::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) fail(path, "open for syncing");
  const int result = ::fsync(descriptor);
  const int error = errno;
  ::close(descriptor);
  errno = error;
  // Some network file systems have no sync of a folder and answer EINVAL; the rename is then as durable as it gets.
  if (result != 0 && !((flags & O_DIRECTORY) != 0 && error == EINVAL)) fail(path, "sync");
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path target)
    : target_(std::move(target)), temporary_(create_temporary(target_)) {}

AtomicFile::~AtomicFile() { remove_temporary(); }

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::exchange(other.temporary_, {})) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    remove_temporary();
    target_ = std::move(other.target_);
    temporary_ = std::exchange(other.temporary_, {});
  }
  return *this;
}

void AtomicFile::sync() { sync_path(temporary_, O_RDONLY); }

void AtomicFile::commit() {
  sync();
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(target_, "rename the finished file to this name");
  temporary_.clear();
  sync_path(folder_of(target_), O_RDONLY | O_DIRECTORY);
}

void AtomicFile::remove_temporary() noexcept {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

void remove_temporaries(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') && name.ends_with(temporary_suffix)) std::filesystem::remove(entry.path());
  }
}

}  // namespace Sward
