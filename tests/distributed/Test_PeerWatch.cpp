#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_PeerWatch.hpp"

namespace Sward::Test {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

/// Keeps the loss that a watch tells of.
class Losses {
 public:
  void operator()(const PeerLoss& loss) {
    const std::lock_guard lock(mutex_);
    loss_ = loss;
    changed_.notify_all();
  }
  std::optional<PeerLoss> wait(milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return loss_.has_value(); });
    return loss_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<PeerLoss> loss_;
};

constexpr milliseconds timeout(400);
constexpr milliseconds long_enough(20'000);

TEST(PeerWatch, SaysNothingWhileAllCome) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  Losses losses;
  {
    const PeerWatch watch(group, timeout, [&](const PeerLoss& loss) { losses(loss); });
    for (int i = 0; i < 6; ++i) {
      std::this_thread::sleep_for(timeout / 4);
      group.barrier();
    }
    group.barrier();
  }
  group.barrier();
  const auto loss = losses.wait(milliseconds(0));
  EXPECT_FALSE(loss.has_value()) << loss->text;
}

TEST(PeerWatch, NamesTheRankThatKeepsOthersWaiting) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  if (group.size() == 1) GTEST_SKIP() << "one rank has no peers";
  Losses losses;
  {
    const PeerWatch watch(group, timeout, [&](const PeerLoss& loss) { losses(loss); });
    const int late = group.size() - 1;
    std::optional<LoggedCollective> waits;
    if (group.rank() != late) waits.emplace(group.log(), "the gradients of layer 3");
    const auto loss = losses.wait(long_enough);
    ASSERT_TRUE(loss.has_value());
    EXPECT_THAT(loss->text, HasSubstr("rank " + std::to_string(late) + " is lost: it has kept others waiting"));
    EXPECT_THAT(loss->text, HasSubstr("the gradients of layer 3"));
    EXPECT_EQ(loss->is_to_be_told, group.rank() == 0);
  }
  group.barrier();
}

TEST(PeerWatch, SaysSoWhereAllWait) {
  const Communicator<MpiSpace> group(MPI_COMM_WORLD);
  if (group.size() == 1) GTEST_SKIP() << "one rank has no peers";
  Losses losses;
  {
    const PeerWatch watch(group, timeout, [&](const PeerLoss& loss) { losses(loss); });
    const LoggedCollective waits(group.log(), "a barrier that nobody leaves");
    const auto loss = losses.wait(long_enough);
    ASSERT_TRUE(loss.has_value());
    EXPECT_THAT(loss->text, HasSubstr("all ranks have waited"));
    EXPECT_THAT(loss->text, HasSubstr("a barrier that nobody leaves"));
  }
  group.barrier();
}

/// A group that an error in the background has befallen on its last rank.
class FailingGroup : public Communicator<MpiSpace> {
 public:
  using Communicator::Communicator;
  std::string asynchronous_error() const override { return rank() == size() - 1 ? "a cable was pulled" : ""; }
};

TEST(PeerWatch, TellsAllOfAnErrorInTheBackground) {
  const FailingGroup group(MPI_COMM_WORLD);
  if (group.size() == 1) GTEST_SKIP() << "one rank has no peers";
  Losses losses;
  {
    const PeerWatch watch(group, timeout, [&](const PeerLoss& loss) { losses(loss); });
    const auto loss = losses.wait(long_enough);
    ASSERT_TRUE(loss.has_value());
    EXPECT_THAT(loss->text, HasSubstr("rank " + std::to_string(group.size() - 1) + " is lost: a cable was pulled"));
  }
  group.barrier();
}

}  // namespace
}  // namespace Sward::Test
