#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_Compress.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MemorySource.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

std::string unpack(const std::string& packed, std::size_t most = 4096, std::size_t buffer = 1000) {
  const auto source = make_zstd_source(std::make_unique<MemorySource>(packed, most), "a.file");
  return read_all(*source, buffer);
}

std::string error_of(const std::string& packed) {
  return message_of<InputError>([&] { unpack(packed); });
}

TEST(ZstdSource, joins_what_was_compressed_apart) {
  const std::string text(3'000'000, 'x');
  const std::string noise = random_bytes(700'000, 2);
  const std::string packed = zstd_frame(text) + zstd_frame("") + zstd_frame(noise) + zstd_frame("end");
  for (const std::size_t most : {1, 7, 4096, 10'000'000}) {
    EXPECT_EQ(unpack(packed, most, most == 1 ? 100'000 : 997), text + noise + "end") << most;
  }
  EXPECT_EQ(unpack(zstd_frame("")), "");
}

TEST(ZstdSource, reports_a_file_that_was_cut_short) {
  const std::string noise = random_bytes(5000, 3);
  const std::string packed = zstd_frame(noise) + zstd_frame(noise);
  const std::size_t half = packed.size() / 2;
  for (std::size_t size = 1; size < packed.size(); ++size) {
    if (size == half) continue;
    EXPECT_EQ(error_of(packed.substr(0, size)), "a.file: this zstd file is cut short") << size;
  }
  EXPECT_EQ(unpack(packed.substr(0, half)), noise);
}

TEST(ZstdSource, reports_damage) {
  const std::string noise = random_bytes(5000, 4);
  std::string packed = zstd_frame(noise);
  std::size_t reported = 0;
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::string damaged = packed;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    try {
      EXPECT_EQ(unpack(damaged), noise) << "byte " << i;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("a.file: this zstd file is ")) << "byte " << i;
      ++reported;
    }
  }
  // All but what says nothing of the contents, as the time in a header.
  EXPECT_GT(reported, packed.size() - 10);
  EXPECT_THAT(error_of(packed + "text behind"), testing::HasSubstr("a.file: this zstd file is damaged"));
}

TEST(ZstdSource, passes_over_skippable_frames) {
  const std::string skippable(
      "\x50\x2a\x4d\x18\x03\x00\x00\x00"
      "abc",
      11);
  EXPECT_EQ(unpack(skippable + zstd_frame("text") + skippable + zstd_frame("more") + skippable), "textmore");
}

}  // namespace
}  // namespace Sward::Test
