#include <gtest/gtest.h>

#include "Sward_CollectiveLog.hpp"

namespace Sward::Test {
namespace {

TEST(CollectiveLog, KnowsTheOldestThatIsUnderWay) {
  CollectiveLog log;
  EXPECT_EQ(log.status().begun, 0U);
  EXPECT_EQ(log.status().oldest, 0U);
  const std::uint64_t first = log.begin("first");
  const std::uint64_t second = log.begin("second");
  EXPECT_EQ(log.status().waits_for, "first");
  EXPECT_EQ(log.status().oldest, first);
  log.finish(first);
  EXPECT_EQ(log.status().waits_for, "second");
  {
    const LoggedCollective third(log, "third");
    EXPECT_EQ(log.status().begun, 3U);
    EXPECT_EQ(log.status().waits_for, "second");
  }
  log.finish(second);
  EXPECT_EQ(log.status().waits_for, "");
  EXPECT_EQ(log.status().oldest, 0U);
  EXPECT_EQ(log.status().begun, 3U);
}

}  // namespace
}  // namespace Sward::Test
