#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace Sward {

/// A sequence of bytes, read from front to back. Failures are InputError naming the file.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Puts the next bytes at the front of the buffer, which is not empty; their number, 0 at the end alone.
  virtual std::size_t read(std::span<char> buffer) = 0;
  /// Bytes taken from the file so far: compressed ones where it is compressed.
  virtual std::uint64_t position() const = 0;
};

/// What the first bytes of a file say of it.
enum class Compression { none, gzip, zstd };

/// By the marks of gzip (RFC 1952) and of zstd and its skippable frames (RFC 8878).
Compression recognise_compression(std::string_view first_bytes);

/// The decompressed bytes of a file, or of standard input for "-". Compression is recognised by the first bytes.
std::unique_ptr<ByteSource> open_byte_source(const std::string& path);

/// The contents of all members of a gzip file; zeros may follow them, as tape drives add, and nothing else.
/// `name` stands in errors.
std::unique_ptr<ByteSource> make_gzip_source(std::unique_ptr<ByteSource> packed, const std::string& name);

/// The contents of all frames of a zstd file, with windows as large as the library takes: 2 GiB (`zstd --long=31`) on
/// machines of 64 bits. One is allocated whole, and touched only as it fills.
std::unique_ptr<ByteSource> make_zstd_source(std::unique_ptr<ByteSource> packed, const std::string& name);

}  // namespace Sward
