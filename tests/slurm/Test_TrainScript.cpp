#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_SlurmJob.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string two_ranks = "--ntasks=2 --cpus-per-task=1 --output=log ";

std::string log_of(const TrainingFolder& folder) { return read_file(folder / "log"); }

/// Gives the run another length, between two of its starts, so that it ends when it has been stopped often enough
/// however fast the machine is. The rate of learning does not depend on the length: shape = 'constant'.
void set_steps(const TrainingFolder& folder, std::int64_t steps) {
  std::string text = folder.configuration();
  text.replace(text.find("steps = 4"), 9, "steps = " + std::to_string(steps));
  write_file(folder / "new.toml", text);
  std::filesystem::rename(folder / "new.toml", folder / "run.toml");
}

/// Starts a run of two ranks that has no end yet. Long evaluations keep its updates few, and change nothing in it.
std::string submit_endless(const TrainingFolder& folder, const std::string& variables, const std::string& options) {
  write_token_file(folder / "validation.h5", random_tokens(10'000, TrainingFolder::vocabulary, 3),
                   TrainingFolder::vocabulary);
  set_steps(folder, 1'000'000);
  return submit(folder, "train.sbatch", variables, two_ranks + options,
                "run.toml --set batch.micro=1 --set output.evaluation_interval=1");
}

bool is_requeued(const TrainingFolder& folder, std::size_t times, int seconds) {
  return comes_true(seconds,
                    [&] { return lines_with(log_of(folder), "train.sbatch: requeued after").size() == times; });
}

std::vector<nlohmann::json> updates_of(const std::filesystem::path& output) {
  std::vector<nlohmann::json> lines = timeless_metrics(output);
  std::erase_if(lines, [](const nlohmann::json& line) { return !line.contains("loss"); });
  return lines;
}

/// Lets a run that waits for its next start end soon after it, and compares it with one that was never stopped.
void expect_end_of_whole_run(const TrainingFolder& folder, const std::string& job) {
  const std::int64_t steps = checkpoint_step(list_checkpoints(folder / "out").front()) + 10;
  set_steps(folder, steps);
  ASSERT_TRUE(job_ends(job, 60)) << log_of(folder);
  EXPECT_THAT(job_fields(job, "JobState"), ElementsAre("COMPLETED")) << log_of(folder);
  EXPECT_THAT(job_fields(job, "ExitCode"), ElementsAre("0:0"));
  const CommandResult whole =
      run_command(folder.train({folder.output_setting("whole"), "batch.micro=1", "data.validation="}, "", 2));
  ASSERT_EQ(whole.status, 0) << whole.output;
  EXPECT_EQ(state_of(folder.checkpoint(steps)), state_of(folder.checkpoint(steps, "whole")));
  EXPECT_EQ(updates_of(folder / "out"), updates_of(folder / "whole"));
}

// Slurm looks at time limits every thirty seconds: between 10 and 40 seconds after the start it sees that within the
// next thirty, less than 20 of the minute will be left.
TEST(TimeLimit, StopsAndRequeuesARunTwiceThatEndsWithTheSameBitsAllTheSame) {
  const TrainingFolder folder;
  const std::string job = submit_endless(folder, "", "--time=1 --signal=B:USR1@20");
  ASSERT_TRUE(is_requeued(folder, 2, 150)) << log_of(folder);
  expect_end_of_whole_run(folder, job);
  EXPECT_THAT(job_fields(job, "Restarts"), ElementsAre("2"));
  EXPECT_EQ(lines_with(log_of(folder), "stopped on request").size(), 2U);
  EXPECT_EQ(lines_with(log_of(folder), "train.sbatch: ").size(), 2U);
}

TEST(TrainScript, PassesASignalThroughMpirun) {
  const TrainingFolder folder;
  const std::string job = submit_endless(folder, "SWARD_LAUNCHER='mpirun --bind-to none'", "");
  ASSERT_TRUE(comes_true(30, [&] { return !lines_with(log_of(folder), "step ").empty(); })) << log_of(folder);
  EXPECT_EQ(run_command("scancel --batch --signal=USR1 " + job).status, 0);
  ASSERT_TRUE(is_requeued(folder, 1, 30)) << log_of(folder);
  expect_end_of_whole_run(folder, job);
  EXPECT_THAT(job_fields(job, "Restarts"), ElementsAre("1"));
}

TEST(TrainScript, EndsTheJobWithTheStatusOfARunThatFailed) {
  const TrainingFolder folder;
  const std::string job = submit(folder, "train.sbatch", "", two_ranks, "run.toml --set grass.rank=0");
  ASSERT_TRUE(job_ends(job, 30)) << log_of(folder);
  EXPECT_THAT(job_fields(job, "JobState"), ElementsAre("FAILED"));
  EXPECT_THAT(job_fields(job, "ExitCode"), ElementsAre("2:0")) << log_of(folder);
  EXPECT_THAT(job_fields(job, "Restarts"), ElementsAre("0"));
}

TEST(TrainScript, DoesNotRequeueARunWithoutANewCheckpoint) {
  const TrainingFolder folder;
  write_file(folder / "stopped", "#!/bin/sh\nexit 75\n");
  std::filesystem::permissions(folder / "stopped", std::filesystem::perms::owner_all);
  write_file(folder / "log", "checkpoint out/checkpoint-00000008.h5\n");
  const std::string job = submit(folder, "train.sbatch", "SWARD_TRAIN=./stopped", two_ranks, "run.toml");
  ASSERT_TRUE(job_ends(job, 30)) << log_of(folder);
  EXPECT_THAT(job_fields(job, "ExitCode"), ElementsAre("1:0")) << log_of(folder);
  EXPECT_THAT(job_fields(job, "Restarts"), ElementsAre("0"));
  EXPECT_THAT(log_of(folder), HasSubstr("train.sbatch: stopped with 00000008 updates kept, 00000008 before; not"));
}

}  // namespace
}  // namespace Sward::Test
