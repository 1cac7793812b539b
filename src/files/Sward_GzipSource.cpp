#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include "Sward_ByteSource.hpp"
#include "Sward_InputError.hpp"

namespace Sward {
namespace {

class GzipSource : public ByteSource {
 public:
  GzipSource(std::unique_ptr<ByteSource> packed, std::string name)
      : packed_(std::move(packed)), name_(std::move(name)), input_(std::size_t{1} << 18) {
    // 16 is zlib's way to ask for gzip's header and checksum.
    if (inflateInit2(&stream_, MAX_WBITS + 16) != Z_OK) throw std::runtime_error("zlib: cannot start to decompress");
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  std::size_t read(std::span<char> buffer) override {
    const std::size_t room = std::min(buffer.size(), std::size_t{1} << 30);
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(room);
    while (stream_.avail_out == room) {
      if (stream_.avail_in == 0 && !fill()) {
        if (!inside_member_) break;
        throw InputError(fmt::format("{}: this gzip file is cut short", name_));
      }
      if (inside_member_ || start_member()) decompress();
    }
    return room - stream_.avail_out;
  }

  std::uint64_t position() const override { return packed_->position(); }

 private:
  bool fill() {
    const std::size_t count = packed_->read(input_);
    stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
    stream_.avail_in = static_cast<uInt>(count);
    return count > 0;
  }

  /// Takes the zeros that may follow a member; false when there was nothing but these.
  bool start_member() {
    while (stream_.avail_in > 0 && *stream_.next_in == 0) {
      padded_ = true;
      ++stream_.next_in;
      --stream_.avail_in;
    }
    if (stream_.avail_in == 0) return false;
    if (padded_) fail("other bytes follow the zeros at its end");
    if (inflateReset(&stream_) != Z_OK) throw std::runtime_error("zlib: cannot start to decompress");
    inside_member_ = true;
    return true;
  }

  void decompress() {
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::runtime_error("zlib: no memory to decompress");
    if (result == Z_STREAM_END) {
      inside_member_ = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      fail(stream_.msg != nullptr ? stream_.msg : "it needs a dictionary");
    }
  }

  [[noreturn]] void fail(const char* reason) const {
    throw InputError(fmt::format("{}: this gzip file is damaged: {}", name_, reason));
  }

  std::unique_ptr<ByteSource> packed_;
  std::string name_;
  std::vector<char> input_;
  z_stream stream_{};
  bool inside_member_ = true;
  bool padded_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> make_gzip_source(std::unique_ptr<ByteSource> packed, const std::string& name) {
  return std::make_unique<GzipSource>(std::move(packed), name);
}

}  // namespace Sward
