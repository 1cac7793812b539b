#include <gtest/gtest.h>
#include <mpi.h>

#include <numeric>
#include <string>
#include <vector>

#include "Sward_SharedFolder.hpp"

namespace Sward::Test {
namespace {

class TrainerRun : public ::testing::TestWithParam<TrainingRun> {};

TEST_P(TrainerRun, StoppedAnywhereItGoesOnToTheSameBits) {
  SharedFolder folder;
  if (folder.is_root()) write_token_file(folder / "short.h5", random_tokens(321, 32, 3), 32);
  MPI_Barrier(MPI_COMM_WORLD);
  ASSERT_TRUE(folder.train(GetParam(), "whole", "", 0));
  // After 2, 5 and 7 updates: within the warm-up of the schedule, a refresh interval, its ramp, and an epoch.
  ASSERT_FALSE(folder.train(GetParam(), "out", "", 2));
  ASSERT_FALSE(folder.train(GetParam(), "out", "auto", 3));
  ASSERT_FALSE(folder.train(GetParam(), "out", "auto", 2));
  ASSERT_TRUE(folder.train(GetParam(), "out", "auto", 0));
  if (!folder.is_root()) return;
  const auto state = state_of(folder.checkpoint(11, "out"));
  EXPECT_EQ(state, state_of(folder.checkpoint(11, "whole")));
  EXPECT_NE(state, state_of(folder.checkpoint(7, "out")));
  EXPECT_EQ(timeless_metrics(folder / "out"), timeless_metrics(folder / "whole"));
  EXPECT_EQ(timeless_metrics(folder / "out").size(), 11U + 3U);
}

INSTANTIATE_TEST_SUITE_P(
    Methods, TrainerRun,
    ::testing::Values(TrainingRun{"adamw", "norm", "shuffled"}, TrainingRun{"adamw", "norm", "sequential"},
                      TrainingRun{"grass", "top-r", "shuffled"}, TrainingRun{"grass", "norm", "sequential"},
                      TrainingRun{"grass", "norm", "shuffled"}, TrainingRun{"grass", "norm-squared", "shuffled"},
                      TrainingRun{"grass", "uniform", "sequential"},
                      TrainingRun{"grass", "norm-replacement", "shuffled"},
                      TrainingRun{"grass", "norm-squared-replacement", "sequential"},
                      TrainingRun{"grass", "uniform-replacement", "shuffled"},
                      TrainingRun{"grass", "norm", "shuffled", {"precision.compute=bfloat16"}},
                      TrainingRun{"grass", "norm", "shuffled", {"precision.compute=float8"}},
                      TrainingRun{"grass", "norm", "shuffled", {"optimizer.state=int8"}},
                      TrainingRun{
                          "adamw", "norm", "sequential", {"precision.compute=bfloat16", "optimizer.state=bfloat16"}}));

/// The mean loss of the last ten updates of a run, on the root.
double final_loss(const SharedFolder& folder, const std::string& output) {
  std::vector<double> losses;
  for (const nlohmann::json& line : timeless_metrics(folder / output))
    if (line.contains("loss")) losses.push_back(line["loss"]);
  return std::accumulate(losses.end() - 10, losses.end(), 0.0) / 10;
}

TEST(Float8, LowersTheLossAsBFloat16Does) {
  SharedFolder folder;
  std::vector<std::uint32_t> tokens;
  for (std::uint32_t i = 0; i < 1000; ++i) tokens.push_back(i * i % 29);  // two tokens tell the next one
  if (folder.is_root()) write_token_file(folder / "short.h5", tokens, 32);
  MPI_Barrier(MPI_COMM_WORLD);
  TrainingRun run{"grass",
                  "norm",
                  "shuffled",
                  {"schedule.steps=40", "batch.micro=" + std::to_string(12 / folder.ranks()), "model.hidden_size=32"}};
  for (const std::string precision : {"bfloat16", "float8"}) {
    run.more.push_back("precision.compute=" + precision);
    ASSERT_TRUE(folder.train(run, precision, "", 0));
    run.more.pop_back();
  }
  if (!folder.is_root()) return;
  const double wanted = final_loss(folder, "bfloat16");
  EXPECT_LT(wanted, 2.5);  // from log(32) = 3.47
  // Rounding of 4% a product is noise in the gradients of a loss that is on its way down.
  EXPECT_NEAR(final_loss(folder, "float8"), wanted, 0.1 * wanted);
  EXPECT_NE(final_loss(folder, "float8"), wanted);
}

TEST(UpdatesAtOnce, GiveTheSameBitsAsUpdatesBehindThePass) {
  SharedFolder folder;
  if (folder.is_root()) write_token_file(folder / "short.h5", random_tokens(321, 32, 3), 32);
  MPI_Barrier(MPI_COMM_WORLD);
  // One pass on one rank; clipping that never clips keeps the updates behind it.
  if (folder.ranks() > 1) GTEST_SKIP() << "several ranks never update at once";
  TrainingRun run{"grass", "norm", "shuffled", {"batch.micro=12", "optimizer.clip=0"}};
  ASSERT_TRUE(folder.train(run, "at-once", "", 0));
  run.more.back() = "optimizer.clip=1e30";
  ASSERT_TRUE(folder.train(run, "behind", "", 0));
  if (!folder.is_root()) return;
  EXPECT_EQ(state_of(folder.checkpoint(11, "at-once")), state_of(folder.checkpoint(11, "behind")));
}

}  // namespace
}  // namespace Sward::Test
