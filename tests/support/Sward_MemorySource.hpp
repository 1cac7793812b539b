#pragma once

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include "Sward_ByteSource.hpp"

namespace Sward::Test {

/// Bytes from memory, handed out in pieces of random sizes up to a limit, as a pipe would.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::string bytes, std::size_t most = 4096) : bytes_(std::move(bytes)), most_(most) {}

  std::size_t read(std::span<char> buffer) override {
    const std::size_t count = std::min({1 + engine_() % most_, buffer.size(), bytes_.size() - position_});
    std::memcpy(buffer.data(), bytes_.data() + position_, count);
    position_ += count;
    return count;
  }
  std::uint64_t position() const override { return position_; }

 private:
  std::string bytes_;
  std::size_t most_;
  std::size_t position_ = 0;
  std::mt19937_64 engine_{7};
};

/// All that a source has left, read in buffers of this size.
inline std::string read_all(ByteSource& source, std::size_t buffer_size = 1000) {
  std::string bytes;
  std::string buffer(buffer_size, '?');
  while (const std::size_t count = source.read(buffer)) bytes.append(buffer, 0, count);
  return bytes;
}

}  // namespace Sward::Test
