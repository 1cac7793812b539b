#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "Sward_ResidentMemory.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

TEST(ResidentMemory, ReadsBothFiguresInBytes) {
  const TemporaryFolder folder;
  write_file(folder / "status",
             "Name:\tVmRSS: 5\nVmPeak:\t  900 kB\nVmHWM:\t  700 kB\nVmRSS:\t  300 kB\nThreads:\t2\n");
  const ResidentMemory memory = read_resident_memory(folder / "status");
  EXPECT_EQ(memory.now, 300U * 1024);
  EXPECT_EQ(memory.peak, 700U * 1024);
}

TEST(ResidentMemory, NamesAFileThatLacksThem) {
  const TemporaryFolder folder;
  write_file(folder / "status", "VmRSS:\t300 kB\n");
  for (const char* name : {"status", "none"})
    EXPECT_THAT(message_of<std::runtime_error>([&] { read_resident_memory(folder / name); }),
                testing::HasSubstr((folder / name).string()));
}

TEST(ResidentMemory, FollowsWhatTheProcessWrites) {
  constexpr std::size_t bytes = std::size_t{256} << 20;
  // The kernel may add up its counters a little late, by at most some pages a thread.
  constexpr std::size_t slack = std::size_t{4} << 20;
  const ResidentMemory before = read_resident_memory();
  {
    const std::vector<char> written(bytes, 1);
    EXPECT_GE(read_resident_memory().now + slack, before.now + bytes);
    EXPECT_EQ(written.back(), 1);
  }
  const ResidentMemory after = read_resident_memory();
  EXPECT_LE(after.now, before.now + slack);
  EXPECT_GE(after.peak + slack, before.now + bytes);
}

}  // namespace
}  // namespace Sward::Test
