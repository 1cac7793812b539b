#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

#include "Sward_InputError.hpp"
#include "Sward_Program.hpp"

// run_parallel_program starts MPI and Kokkos itself: tests/drivers shows it at work.

namespace Sward::Test {
namespace {

struct Ending {
  int status;
  std::string error;
};

Ending end_of(const std::function<int()>& body) {
  testing::internal::CaptureStderr();
  const int status = run_program("sward-name", body);
  return {status, testing::internal::GetCapturedStderr()};
}

TEST(Program, exit_statuses_are_the_documented_ones) {
  EXPECT_EQ(ExitStatus::finished, 0);
  EXPECT_EQ(ExitStatus::failed, 1);
  EXPECT_EQ(ExitStatus::bad_input, 2);
  EXPECT_EQ(ExitStatus::stopped, 75);
}

TEST(Program, hands_the_status_of_its_body_on) {
  for (const int status : {0, 1, 2, 75}) {
    const Ending ending = end_of([&] { return status; });
    EXPECT_EQ(ending.status, status);
    EXPECT_EQ(ending.error, "");
  }
}

TEST(Program, ends_with_2_and_one_line_after_bad_input) {
  const Ending ending = end_of([]() -> int { throw InputError("a.toml:3: key 'x' is unknown"); });
  EXPECT_EQ(ending.status, 2);
  EXPECT_EQ(ending.error, "sward-name: a.toml:3: key 'x' is unknown\n");
}

TEST(Program, ends_with_1_and_one_line_after_any_other_failure) {
  const Ending ending = end_of([]() -> int { throw std::runtime_error("disk full"); });
  EXPECT_EQ(ending.status, 1);
  EXPECT_EQ(ending.error, "sward-name: disk full\n");
  const Ending memory = end_of([]() -> int { throw std::bad_alloc(); });
  EXPECT_EQ(memory.status, 1);
  EXPECT_THAT(memory.error, testing::StartsWith("sward-name: "));
}

TEST(Program, ends_with_2_and_a_line_for_each_mistake_of_a_list) {
  const Ending ending = end_of([]() -> int { throw InputErrorList({"a is missing", "b\n  is odd"}); });
  EXPECT_EQ(ending.status, 2);
  EXPECT_EQ(ending.error, "sward-name: a is missing\nsward-name: b; is odd\n");
}

TEST(Program, makes_one_line_of_a_message_of_several) {
  const Ending ending = end_of([]() -> int { throw std::runtime_error("out of memory\nTraceback:\n  frame\n"); });
  EXPECT_EQ(ending.error, "sward-name: out of memory; Traceback:; frame\n");
}

}  // namespace
}  // namespace Sward::Test
