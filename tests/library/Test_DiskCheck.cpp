#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_CheckpointFile.hpp"
#include "Sward_DiskCheck.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

OutputOptions options(const std::filesystem::path& directory, std::int64_t interval, std::int64_t keep) {
  OutputOptions output;
  output.directory = directory;
  output.checkpoint_interval = interval;
  output.keep = keep;
  return output;
}

/// Of a checkpoint that the disk has room for so many times, and a fifth.
std::size_t size_for(const std::filesystem::path& folder, double times) {
  return static_cast<std::size_t>(static_cast<double>(std::filesystem::space(folder).available) / (times + 0.2));
}

TEST(DiskCheck, CountsTheCheckpointsThatAreThereAtOnce) {
  const TemporaryFolder folder;
  const std::size_t size = size_for(folder.path(), 2);
  EXPECT_EQ(check_disk(options(folder / "new" / "run", 0, 2), 10, size), "");
  EXPECT_EQ(check_disk(options(folder / "new" / "run", 5, 2), 10, size), "");
  EXPECT_EQ(check_disk(options(folder / "new" / "run", 1, 1), 10, size), "");
  EXPECT_THAT(check_disk(options(folder / "new" / "run", 4, 2), 10, size),
              HasSubstr("new/run: there is room for 2 of the 3 checkpoints of "));
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  write_file(checkpoint_path(folder.path(), 1), "one");
  EXPECT_EQ(check_disk(options(folder.path(), 4, 2), 10, size), "");
}

TEST(DiskCheck, RefusesADiskWithoutRoomForOne) {
  const TemporaryFolder folder;
  EXPECT_THROW(check_disk(options(folder.path(), 0, 1), 10, size_for(folder.path(), 0)), InputError);
}

}  // namespace
}  // namespace Sward::Test
