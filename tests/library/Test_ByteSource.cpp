#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_ByteSource.hpp"
#include "Sward_Compress.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MemorySource.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

TEST(ByteSource, recognises_compression_by_the_first_bytes) {
  EXPECT_EQ(recognise_compression("\x1f\x8b"), Compression::gzip);
  EXPECT_EQ(recognise_compression(gzip_member("")), Compression::gzip);
  EXPECT_EQ(recognise_compression(zstd_frame("")), Compression::zstd);
  EXPECT_EQ(recognise_compression("\x5f\x2a\x4d\x18"), Compression::zstd);
  for (const char* text : {"", "\x1f", "(\xb5/", "text", "\x4f\x2a\x4d\x18", "\x60\x2a\x4d\x18"}) {
    EXPECT_EQ(recognise_compression(text), Compression::none) << text;
  }
}

TEST(ByteSource, reads_files_of_any_size_and_compression) {
  const TemporaryFolder folder;
  for (const std::size_t size : {0, 1, 3, 4, 5, 1'000'000}) {
    const std::string bytes = "t" + random_bytes(size, 1);
    const std::string text = bytes.substr(0, size);
    for (const std::string& stored : {text, gzip_member(text), zstd_frame(text)}) {
      write_file(folder / "a", stored);
      for (const std::size_t buffer : {1, 1000, 3'000'000}) {
        if (buffer == 1 && size > 5) continue;
        const auto source = open_byte_source(folder / "a");
        EXPECT_EQ(read_all(*source, buffer), text);
        EXPECT_EQ(source->position(), stored.size());
      }
    }
  }
}

TEST(ByteSource, names_a_file_that_cannot_be_opened_or_read) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<InputError>([&] { open_byte_source(folder / "none"); }),
              testing::HasSubstr((folder / "none").string() + ": cannot open"));
  EXPECT_THAT(message_of<InputError>([&] { open_byte_source(folder.path()); }),
              testing::HasSubstr(folder.path().string() + ": cannot read on: Is a directory"));
}

}  // namespace
}  // namespace Sward::Test
