#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "Sward_StopRequest.hpp"

namespace Sward::Test {
namespace {

// Each in a process of its own: signal handlers are the process's, and a request is never taken back.

void exit_with_state_after(int signal, int repeats) {
  watch_for_stop_signals();
  if (stop_is_requested()) ::_exit(9);
  for (int i = 0; i < repeats; ++i) std::raise(signal);
  ::_exit(stop_is_requested() ? 75 : 1);
}

TEST(StopRequestDeathTest, EitherSignalIsARequest) {
  EXPECT_EXIT(exit_with_state_after(SIGUSR1, 1), testing::ExitedWithCode(75), "");
  EXPECT_EXIT(exit_with_state_after(SIGTERM, 1), testing::ExitedWithCode(75), "");
  EXPECT_EXIT(exit_with_state_after(SIGTERM, 0), testing::ExitedWithCode(1), "");
}

TEST(StopRequestDeathTest, RepeatsAreOneRequest) {
  EXPECT_EXIT(exit_with_state_after(SIGUSR1, 5), testing::ExitedWithCode(75), "");
}

TEST(StopRequestDeathTest, ALaterOneEndsTheProcess) {
  const auto wait_between = [] {
    watch_for_stop_signals();
    std::raise(SIGUSR1);
    ::usleep(5'200'000);
    std::raise(SIGTERM);
    ::_exit(75);
  };
  EXPECT_EXIT(wait_between(), testing::KilledBySignal(SIGTERM), "");
}

}  // namespace
}  // namespace Sward::Test
