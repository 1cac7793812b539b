#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_Compress.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MemorySource.hpp"
#include "Sward_TestFiles.hpp"

// Files of either compression, which may be several that were compressed apart.

namespace Sward::Test {
namespace {

/// A way to compress, and the source that undoes it.
struct Format {
  std::string name;
  std::string (*pack)(const std::string&);
  std::unique_ptr<ByteSource> (*open)(std::unique_ptr<ByteSource>, const std::string&);
};

void PrintTo(const Format& format, std::ostream* out) { *out << format.name; }

const Format gzip{"gzip", gzip_member, make_gzip_source};
const Format zstd{"zstd", zstd_frame, make_zstd_source};

std::string unpack(const Format& format, const std::string& packed, std::size_t most = 4096,
                   std::size_t buffer = 1000) {
  const auto source = format.open(std::make_unique<MemorySource>(packed, most), "a.file");
  return read_all(*source, buffer);
}

std::string error_of(const Format& format, const std::string& packed) {
  return message_of<InputError>([&] { unpack(format, packed); });
}

class CompressedSource : public ::testing::TestWithParam<Format> {
 protected:
  static std::string pack(const std::string& text) { return GetParam().pack(text); }
  static std::string complaint() { return "a.file: this " + GetParam().name + " file is "; }
};

TEST_P(CompressedSource, joins_what_was_compressed_apart) {
  const std::string text(3'000'000, 'x');
  const std::string noise = random_bytes(700'000, 2);
  const std::string packed = pack(text) + pack("") + pack(noise) + pack("end");
  for (const std::size_t most : {1, 7, 4096, 10'000'000}) {
    EXPECT_EQ(unpack(GetParam(), packed, most, most == 1 ? 100'000 : 997), text + noise + "end") << most;
  }
  EXPECT_EQ(unpack(GetParam(), pack("")), "");
}

TEST_P(CompressedSource, reports_a_file_that_was_cut_short) {
  const std::string noise = random_bytes(5000, 3);
  const std::string packed = pack(noise) + pack(noise);
  const std::size_t half = packed.size() / 2;
  for (std::size_t size = 1; size < packed.size(); ++size) {
    if (size == half) continue;
    EXPECT_EQ(error_of(GetParam(), packed.substr(0, size)), complaint() + "cut short") << size;
  }
  EXPECT_EQ(unpack(GetParam(), packed.substr(0, half)), noise);
}

TEST_P(CompressedSource, reports_damage) {
  const std::string noise = random_bytes(5000, 4);
  const std::string packed = pack(noise);
  std::size_t reported = 0;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    try {
      EXPECT_EQ(unpack(GetParam(), damaged), noise) << "byte " << i;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith(complaint())) << "byte " << i;
      ++reported;
    }
  }
  // All but what says nothing of the contents, as the time in a header.
  EXPECT_GT(reported, packed.size() - 10);
  EXPECT_THAT(error_of(GetParam(), packed + "text behind"), testing::HasSubstr(complaint() + "damaged"));
}

INSTANTIATE_TEST_SUITE_P(Formats, CompressedSource, ::testing::Values(gzip, zstd),
                         [](const auto& format) { return format.param.name; });

TEST(GzipSource, passes_over_zeros_at_the_end) {
  const std::string packed = gzip_member("text") + std::string(70'000, '\0');
  EXPECT_EQ(unpack(gzip, packed), "text");
  EXPECT_THAT(error_of(gzip, packed + gzip_member("more")), testing::HasSubstr("other bytes follow the zeros"));
}

TEST(ZstdSource, passes_over_skippable_frames) {
  const std::string skippable(
      "\x50\x2a\x4d\x18\x03\x00\x00\x00"
      "abc",
      11);
  EXPECT_EQ(unpack(zstd, skippable + zstd_frame("text") + skippable + zstd_frame("more") + skippable), "textmore");
}

/// A frame of one stored block, which claims a window of 2 to this power.
std::string frame_with_window(int power, const std::string& text) {
  std::string frame("\x28\xb5\x2f\xfd\0", 5);
  frame += static_cast<char>((power - 10) << 3);
  frame += static_cast<char>(text.size() << 3 | 1U);
  return frame + std::string(2, '\0') + text;
}

TEST(ZstdSource, takes_windows_as_large_as_the_library_does) {
  for (const int power : {10, 27, 28, 31}) EXPECT_EQ(unpack(zstd, frame_with_window(power, "text")), "text") << power;
  EXPECT_EQ(
      error_of(zstd, frame_with_window(41, "text")),
      "a.file: this zstd file is compressed with too large a window: Frame requires too much memory for decoding");
}

}  // namespace
}  // namespace Sward::Test
