#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "Sward_FolderLock.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

TEST(FolderLock, IsForOneAtATime) {
  const TemporaryFolder folder;
  const TemporaryFolder other;
  std::optional<FolderLock> first(folder.path());
  const FolderLock elsewhere(other.path());
  try {
    const FolderLock second(folder.path());
    ADD_FAILURE() << "two at a time";
  } catch (const InputError& error) {
    EXPECT_EQ(error.what(), folder.path().string() + ": another run is writing here");
  }
  EXPECT_EQ(folder.file_count(), 1U);
  first.reset();
  EXPECT_EQ(folder.file_count(), 0U);
  write_file(folder / ".sward-lock", "");  // as a killed run leaves it
  const FolderLock second(folder.path());
}

TEST(FolderLock, NeedsAFolder) {
  const TemporaryFolder folder;
  EXPECT_THROW(FolderLock(folder / "none"), std::runtime_error);
}

}  // namespace
}  // namespace Sward::Test
