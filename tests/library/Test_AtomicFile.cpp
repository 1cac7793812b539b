#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "Sward_AtomicFile.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

TEST(AtomicFile, appears_with_the_commit) {
  const TemporaryFolder folder;
  AtomicFile file(folder / "a");
  write_file(file.temporary(), "new");
  EXPECT_FALSE(std::filesystem::exists(folder / "a"));
  file.commit();
  EXPECT_EQ(read_file(folder / "a"), "new");
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(AtomicFile, replaces_an_existing_file) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  AtomicFile file(folder / "a");
  write_file(file.temporary(), "new");
  EXPECT_EQ(read_file(folder / "a"), "old");
  file.commit();
  EXPECT_EQ(read_file(folder / "a"), "new");
}

TEST(AtomicFile, leaves_nothing_without_a_commit) {
  const TemporaryFolder folder;
  write_file(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    write_file(file.temporary(), "half");
    EXPECT_EQ(folder.file_count(), 2U);
  }
  EXPECT_EQ(folder.file_count(), 1U);
  EXPECT_EQ(read_file(folder / "a"), "old");
}

TEST(AtomicFile, moves_with_its_temporary) {
  const TemporaryFolder folder;
  AtomicFile first(folder / "a");
  AtomicFile second(folder / "b");
  second = std::move(first);
  EXPECT_EQ(folder.file_count(), 1U);
  AtomicFile third(std::move(second));
  third.commit();
  EXPECT_TRUE(std::filesystem::exists(folder / "a"));
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(AtomicFile, removes_the_temporary_when_the_rename_fails) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/b");
  {
    AtomicFile file(folder / "a");
    EXPECT_THAT(message_of<std::runtime_error>([&] { file.commit(); }), testing::HasSubstr((folder / "a").string()));
  }
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(AtomicFile, names_the_file_when_the_folder_is_missing) {
  const TemporaryFolder folder;
  const auto create = [&] { AtomicFile(folder / "missing/a"); };
  EXPECT_THAT(message_of<std::runtime_error>(create), testing::HasSubstr("missing/a: cannot create"));
}

TEST(AtomicFile, what_a_kill_left_behind_is_removed_and_nothing_else) {
  const TemporaryFolder folder;
  write_file(folder / "checkpoint.h5", "kept");
  write_file(folder / ".hidden", "kept");
  {
    AtomicFile interrupted(folder / "checkpoint.h5");
    std::filesystem::copy(interrupted.temporary(), folder / ".checkpoint.h5.0badcafe.sward-tmp");
  }
  EXPECT_EQ(folder.file_count(), 3U);
  remove_temporaries(folder.path());
  EXPECT_EQ(folder.file_count(), 2U);
  EXPECT_EQ(read_file(folder / "checkpoint.h5"), "kept");
  EXPECT_EQ(read_file(folder / ".hidden"), "kept");
}

TEST(AtomicFile, the_name_of_a_temporary_is_one_that_is_removed) {
  const TemporaryFolder folder;
  AtomicFile interrupted(folder / "checkpoint.h5");
  remove_temporaries(folder.path());
  EXPECT_FALSE(std::filesystem::exists(interrupted.temporary()));
}

TEST(AtomicFile, has_the_permissions_of_an_ordinary_file) {
  const TemporaryFolder folder;
  AtomicFile(folder / "a").commit();
  write_file(folder / "b", "");
  EXPECT_EQ(std::filesystem::status(folder / "a").permissions(), std::filesystem::status(folder / "b").permissions());
}

}  // namespace
}  // namespace Sward::Test
