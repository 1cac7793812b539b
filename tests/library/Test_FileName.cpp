#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "Sward_FileName.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

TEST(FileName, MayBeNewOrOfAFileOrAFolder) {
  const TemporaryFolder folder;
  write_file(folder / "file", "text");
  std::filesystem::create_symlink(folder / "file", folder / "link");
  for (const char* name : {"new", "file", "link", "."}) EXPECT_NO_THROW(require_file_name(folder / name)) << name;
}

TEST(FileName, IsNothingElse) {
  const TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  std::filesystem::create_symlink(folder / "nowhere", folder / "link");
  for (const std::filesystem::path& name : {folder / "pipe", folder / "link", folder / std::string(300, 'a'),
                                            std::filesystem::path("/dev/null"), std::filesystem::path()})
    EXPECT_THROW(require_file_name(name), InputError) << name;
}

}  // namespace
}  // namespace Sward::Test
