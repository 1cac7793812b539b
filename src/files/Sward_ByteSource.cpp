#include "Sward_ByteSource.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

constexpr std::size_t mark_size = 4;

/// A file or a pipe, whose first bytes can be looked at before they are read.
class FileSource : public ByteSource {
 public:
  explicit FileSource(const std::string& path)
      : name_(path == "-" ? "standard input" : path),
        descriptor_(path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (descriptor_ < 0) throw InputError(fmt::format("{}: cannot open this file: {}", name_, std::strerror(errno)));
  }
  ~FileSource() override {
    if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  const std::string& name() const { return name_; }

  std::string_view first_bytes() {
    while (ahead_ < mark_size) {
      const std::size_t count = read_file(std::span<char>(mark_).subspan(ahead_));
      if (count == 0) break;
      ahead_ += count;
    }
    return {mark_.data(), ahead_};
  }

  std::size_t read(std::span<char> buffer) override {
    const std::size_t count = taken_ < ahead_ ? read_ahead(buffer) : read_file(buffer);
    position_ += count;
    return count;
  }

  std::uint64_t position() const override { return position_; }

 private:
  std::size_t read_ahead(std::span<char> buffer) {
    const std::size_t count = std::min(buffer.size(), ahead_ - taken_);
    std::memcpy(buffer.data(), mark_.data() + taken_, count);
    taken_ += count;
    return count;
  }

  std::size_t read_file(std::span<char> buffer) {
    while (true) {
      const ssize_t count = ::read(descriptor_, buffer.data(), buffer.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno != EINTR) throw InputError(fmt::format("{}: cannot read on: {}", name_, std::strerror(errno)));
    }
  }

  std::string name_;
  int descriptor_;
  std::array<char, mark_size> mark_{};
  std::size_t ahead_ = 0;
  std::size_t taken_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace

Compression recognise_compression(std::string_view first_bytes) {
  if (first_bytes.starts_with("\x1f\x8b")) return Compression::gzip;
  if (first_bytes.size() < mark_size) return Compression::none;
  if (first_bytes.starts_with("\x28\xb5\x2f\xfd")) return Compression::zstd;
  const bool is_skippable = (first_bytes[0] & 0xf0) == 0x50 && first_bytes.substr(1, 3) == "\x2a\x4d\x18";
  return is_skippable ? Compression::zstd : Compression::none;
}

std::unique_ptr<ByteSource> open_byte_source(const std::string& path) {
  auto file = std::make_unique<FileSource>(path);
  const std::string name = file->name();
  const Compression compression = recognise_compression(file->first_bytes());
  if (compression == Compression::gzip) return make_gzip_source(std::move(file), name);
  if (compression == Compression::zstd) return make_zstd_source(std::move(file), name);
  return file;
}

}  // namespace Sward
