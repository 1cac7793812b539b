#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "Sward_TrainingFolder.hpp"

// Runs of sward-train that lose a rank end on all of them, say which one it was, and go on to the same bits.

namespace Sward::Test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int steps = 300;

std::vector<std::string> long_run() {
  return {"schedule.steps=" + std::to_string(steps), "output.checkpoint_interval=20", "batch.micro=1",
          "run.timeout_seconds=2"};
}

/// Shell text, while a run under mpirun goes on: waits for its first checkpoint, and sends a signal to the rank of this
/// number.
std::string signal_after_checkpoint(const TrainingFolder& folder, const std::string& signal, int rank) {
  return "until ls " + (folder / "out").string() + "/checkpoint-*.h5 > /dev/null 2>&1; do sleep 0.02; done; set -- " +
         children_of_run + "; kill -" + signal + " $" + std::to_string(rank + 1);
}

struct Loss {
  std::string signal;
  int ranks;
  int lost;
  std::string why;
};

void PrintTo(const Loss& loss, std::ostream* out) { *out << "SIG" << loss.signal << " to rank " << loss.lost; }

class LostRank : public ::testing::TestWithParam<Loss> {};

TEST_P(LostRank, EndsTheRunWithALineAndCostsNoCheckpoint) {
  const TrainingFolder folder;
  const auto& [signal, ranks, lost, why] = GetParam();
  write_file(folder / "script.sh",
             while_it_runs(folder, folder.train(long_run(), "", ranks), signal_after_checkpoint(folder, signal, lost)));
  const CommandResult ended = run_command("timeout 60 sh " + (folder / "script.sh").string());
  const std::string log = read_file(folder / "log");
  EXPECT_NE(ended.status, 0);
  EXPECT_NE(ended.status, 124) << "still there after a minute: " << log;
  const auto lines = lines_with(log, "sward-train: rank " + std::to_string(lost) + " is lost: ");
  ASSERT_EQ(lines.size(), 1U) << log;
  EXPECT_THAT(lines[0], AllOf(HasSubstr(why), HasSubstr("; ")));

  std::vector<std::string> whole = long_run();
  whole.push_back(folder.output_setting("whole"));
  ASSERT_EQ(run_command(folder.train(whole, "", ranks)).status, 0);
  const CommandResult rest = run_command(folder.train(long_run(), "--resume auto", ranks));
  ASSERT_EQ(rest.status, 0) << rest.output;
  EXPECT_EQ(state_of(folder.checkpoint(steps)), state_of(folder.checkpoint(steps, "whole")));
  EXPECT_EQ(timeless_metrics(folder / "out"), timeless_metrics(folder / "whole"));
}

INSTANTIATE_TEST_SUITE_P(Signals, LostRank,
                         ::testing::Values(Loss{"KILL", 2, 1, "its process has ended"},
                                           Loss{"KILL", 2, 0, "its process has ended"},
                                           Loss{"STOP", 2, 1, "it has not answered for"},
                                           Loss{"STOP", 2, 0, "it has not answered for"}));

TEST(Disagreement, EndsBeforeTheFirstStepWithTheDifferenceNamed) {
  const TrainingFolder folder;
  const auto on_rank_1 = [&](const std::string& setting) {
    const std::string command = folder.train();
    return run_for_errors("mpirun --oversubscribe --bind-to none -n 1 " + command + " : -n 1 " + command + " --set '" +
                          setting + "'");
  };
  const CommandResult rank = on_rank_1("grass.rank=3");
  EXPECT_EQ(rank.status, 2);
  EXPECT_EQ(lines_with(rank.output, "sward-train: "),
            std::vector<std::string>{"sward-train: key 'grass.rank' is 3 on rank 1 and 4 on rank 0"})
      << rank.output;
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));

  write_token_file(folder / "other.h5", random_tokens(1000, TrainingFolder::vocabulary, 9), TrainingFolder::vocabulary);
  const CommandResult data = on_rank_1("data.train=" + (folder / "other.h5").string());
  EXPECT_EQ(data.status, 2);
  EXPECT_THAT(data.output, AllOf(HasSubstr("key 'data.train'"), HasSubstr("other.h5"), HasSubstr("on rank 1 and")));
  EXPECT_FALSE(std::filesystem::exists(folder / "out"));
}

/// The losses of a run's updates.
std::vector<double> losses_of(const std::filesystem::path& output) {
  std::vector<double> losses;
  for (const nlohmann::json& line : timeless_metrics(output))
    if (line.contains("loss")) losses.push_back(line["loss"]);
  return losses;
}

TEST(ElasticResume, OnOtherNumbersOfRanksTheDataGoOnInTheSameOrder) {
  const TrainingFolder folder;
  // 12 sequences an update: a whole number of passes on 1, 2, 3 and 4 ranks.
  const auto settings = [&](const std::string& last, const std::string& output) {
    return std::vector<std::string>{"batch.sequences=12",           "batch.micro=1",
                                    "schedule.steps=" + last,       "output.checkpoint_interval=2",
                                    "optimizer.learning_rate=1e-3", folder.output_setting(output)};
  };
  ASSERT_EQ(run_command(folder.train(settings("8", "whole"), "", 1)).status, 0);
  const std::vector<double> expected = losses_of(folder / "whole");
  ASSERT_EQ(expected.size(), 8U);
  ASSERT_EQ(run_command(folder.train(settings("2", "out"), "", 2)).status, 0);
  for (const auto& [ranks, last] : {std::pair{3, "4"}, {1, "6"}, {4, "8"}}) {
    const CommandResult more = run_command(folder.train(settings(last, "out"), "--resume auto", ranks));
    ASSERT_EQ(more.status, 0) << more.output;
  }
  // The same sequences in every update: other ones differ in the first digits. Sums over ranks round in other orders.
  const std::vector<double> found = losses_of(folder / "out");
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4) << "update " << i;
}

TEST(ElasticResume, OnOtherNumbersOfRanksSharedStatesGiveTheBitsOfWholeOnes) {
  const TrainingFolder folder;
  const auto settings = [&](const std::string& last, const std::string& output, const std::string& shard) {
    return std::vector<std::string>{
        "model.hidden_size=48",   "model.intermediate_size=100",  "batch.sequences=12",          "batch.micro=1",
        "schedule.steps=" + last, "output.checkpoint_interval=2", folder.output_setting(output), "run.shard=" + shard};
  };
  // What two ranks share is taken up by three and by one; then again by two, of a run in which the others did not
  // share.
  for (const auto& [ranks, last, shard] :
       {std::tuple{2, "2", "states"}, {3, "4", "states"}, {1, "6", "none"}, {2, "8", "states"}}) {
    for (const std::string output : {"shared", "whole"}) {
      const auto run = settings(last, output, output == "shared" ? shard : "none");
      const CommandResult result = run_command(folder.train(run, "--resume auto", ranks));
      ASSERT_EQ(result.status, 0) << result.output;
    }
    const std::int64_t step = std::stoll(last);
    EXPECT_EQ(state_of(folder.checkpoint(step, "shared")), state_of(folder.checkpoint(step, "whole"))) << step;
  }
}

}  // namespace
}  // namespace Sward::Test
