#include <gtest/gtest.h>

#include "Sward_Agreement.hpp"
#include "Sward_InputError.hpp"
#include "Sward_MpiCommunicator.hpp"

namespace Sward::Test {
namespace {

/// The text of the InputError, or an empty one.
std::string disagreement(const ProcessGroup& group, const Facts& facts) {
  try {
    check_agreement(group, facts);
    return {};
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(Agreement, PassesEqualFacts) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  EXPECT_EQ(disagreement(group, {}), "");
  EXPECT_EQ(disagreement(group, {{"key 'run.seed'", "1"}, {"empty", ""}}), "");
}

TEST(Agreement, NamesTheFirstDifferenceOnEveryRank) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  const int last = group.size() - 1;
  if (last == 0) GTEST_SKIP() << "one rank agrees with itself";
  const bool is_last = group.rank() == last;
  const std::string on_last = " on rank " + std::to_string(last) + " and ";
  EXPECT_EQ(disagreement(group, {{"one", "1"}, {"two", is_last ? "3" : "2"}, {"three", is_last ? "4" : "3"}}),
            "two is 3" + on_last + "2 on rank 0");
  EXPECT_EQ(disagreement(group, is_last ? Facts{{"one", "1"}, {"more", "m"}} : Facts{{"one", "1"}}),
            "more is m" + on_last + "nothing on rank 0");
  EXPECT_EQ(disagreement(group, is_last ? Facts{} : Facts{{"one", "1"}}), "one is nothing" + on_last + "1 on rank 0");
  // And the group is in step afterwards.
  EXPECT_EQ(group.sum(1.0), group.size());
}

}  // namespace
}  // namespace Sward::Test
