#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "Sward_CheckpointFile.hpp"
#include "Sward_PendingCheckpoint.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

AtomicFile written(const std::filesystem::path& target) {
  AtomicFile file(target);
  write_file(file.temporary(), "whole");
  return file;
}

TEST(PendingCheckpoint, IsThereWholeOnceItHasFinished) {
  const TemporaryFolder folder;
  PendingCheckpoint pending(written(checkpoint_path(folder.path(), 3)), 2);
  EXPECT_EQ(pending.path(), checkpoint_path(folder.path(), 3));
  EXPECT_EQ(pending.finish(), "");
  EXPECT_EQ(read_file(checkpoint_path(folder.path(), 3)), "whole");
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(PendingCheckpoint, BecomesReadyByItself) {
  const TemporaryFolder folder;
  PendingCheckpoint pending(written(checkpoint_path(folder.path(), 3)), 1);
  while (!pending.is_ready()) std::this_thread::yield();
  EXPECT_TRUE(std::filesystem::exists(pending.path()));
}

TEST(PendingCheckpoint, OlderOnesGoLaterOnesStay) {
  const TemporaryFolder folder;
  for (const std::int64_t step : {1, 2, 3, 9}) write_file(checkpoint_path(folder.path(), step), "old");
  PendingCheckpoint(written(checkpoint_path(folder.path(), 4)), 2).finish();
  EXPECT_THAT(list_checkpoints(folder.path()),
              ElementsAre(checkpoint_path(folder.path(), 9), checkpoint_path(folder.path(), 4),
                          checkpoint_path(folder.path(), 3)));
}

TEST(PendingCheckpoint, AnOlderOneThatCannotBeRemovedIsNamed) {
  const TemporaryFolder folder;
  write_file(checkpoint_path(folder.path(), 2), "old");
  std::filesystem::create_directories(checkpoint_path(folder.path(), 1) / "inside");
  PendingCheckpoint pending(written(checkpoint_path(folder.path(), 3)), 1);
  EXPECT_THAT(pending.finish(), HasSubstr(checkpoint_path(folder.path(), 1).string() + ": cannot be removed: "));
  EXPECT_EQ(read_file(checkpoint_path(folder.path(), 3)), "whole");
  EXPECT_FALSE(std::filesystem::exists(checkpoint_path(folder.path(), 2)));
}

TEST(PendingCheckpoint, AFailureIsReportedAndNothingIsRemoved) {
  const TemporaryFolder folder;
  for (const std::int64_t step : {1, 2}) write_file(checkpoint_path(folder.path(), step), "old");
  // A folder in the place of the new file cannot be replaced by it.
  std::filesystem::create_directories(checkpoint_path(folder.path(), 3) / "inside");
  PendingCheckpoint pending(written(checkpoint_path(folder.path(), 3)), 1);
  EXPECT_THROW(pending.finish(), std::runtime_error);
  for (const std::int64_t step : {1, 2}) EXPECT_EQ(read_file(checkpoint_path(folder.path(), step)), "old");
}

}  // namespace
}  // namespace Sward::Test
