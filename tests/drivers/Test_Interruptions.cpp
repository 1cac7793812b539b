#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "Sward_TrainingFolder.hpp"

// Runs of sward-train that are stopped, killed, or left without a disk, and go on to the same bits all the same.

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int many_steps = 600;

/// What every run of a test shares: long enough to be interrupted somewhere, with a checkpoint after every third
/// update.
std::vector<std::string> long_run() {
  return {"schedule.steps=" + std::to_string(many_steps), "output.checkpoint_interval=3", "batch.micro=1",
          "output.evaluation_interval=50"};
}

/// The run that nobody interrupts, for comparison.
void train_whole(const TrainingFolder& folder, int ranks) {
  std::vector<std::string> settings = long_run();
  settings.push_back(folder.output_setting("whole"));
  const CommandResult whole = run_command(folder.train(settings, "", ranks));
  ASSERT_EQ(whole.status, 0) << whole.output;
}

void expect_same_end(const TrainingFolder& folder) {
  EXPECT_EQ(state_of(folder.checkpoint(many_steps)), state_of(folder.checkpoint(many_steps, "whole")));
  EXPECT_EQ(timeless_metrics(folder / "out"), timeless_metrics(folder / "whole"));
  // Metrics and two checkpoints: nothing of an interrupted write is left.
  EXPECT_EQ(snapshot(folder / "out").size(), 3U);
}

struct Stop {
  std::string name;
  int ranks;
  std::string kill;
};

void PrintTo(const Stop& stop, std::ostream* out) { *out << stop.name; }

class StoppedRun : public ::testing::TestWithParam<Stop> {};

TEST_P(StoppedRun, EndsWithACheckpointAndStatus75) {
  const TrainingFolder folder;
  train_whole(folder, GetParam().ranks);
  const std::string command = folder.train(long_run(), "", GetParam().ranks);
  const CommandResult stopped_run = run_command(while_it_runs(folder, command, GetParam().kill));
  const std::string log = read_file(folder / "log");
  EXPECT_EQ(stopped_run.status, 75) << log;
  EXPECT_THAT(log, HasSubstr("stopped on request"));
  const auto checkpoints = list_checkpoints(folder / "out");
  ASSERT_FALSE(checkpoints.empty());
  const std::int64_t stopped = checkpoint_step(checkpoints.front());
  EXPECT_LT(stopped, many_steps);
  EXPECT_THAT(log, HasSubstr("checkpoint " + checkpoints.front().string()));
  // The metrics end with the update that the checkpoint holds.
  EXPECT_EQ(timeless_metrics(folder / "out").back()["step"], stopped - 1);
  const CommandResult rest = run_command(folder.train(long_run(), "--resume auto", GetParam().ranks));
  EXPECT_EQ(rest.status, 0) << rest.output;
  expect_same_end(folder);
}

// A shell in the background runs the command as its only child; mpirun's ranks are the grandchildren.
INSTANTIATE_TEST_SUITE_P(Signals, StoppedRun,
                         ::testing::Values(Stop{"SIGTERM to a run alone", 1, "kill -TERM $run"},
                                           Stop{"SIGUSR1 to a run alone, twice", 1, "kill -USR1 $run; kill -USR1 $run"},
                                           Stop{"SIGUSR1 to mpirun", 2, "kill -USR1 $run"},
                                           Stop{"SIGTERM to one of two ranks", 2,
                                                "set -- " + children_of_run + "; kill -TERM $2"}));

TEST(KilledRun, GoesOnToTheSameBitsHoweverOftenItIsKilled) {
  const TrainingFolder folder;
  for (const int ranks : {1, 2}) {
    SCOPED_TRACE(std::to_string(ranks) + " ranks");
    std::filesystem::remove_all(folder / "out");
    std::filesystem::remove_all(folder / "whole");
    train_whole(folder, ranks);
    std::mt19937 engine(static_cast<unsigned>(ranks));
    const std::string command = folder.train(long_run(), "--resume auto", ranks);
    std::set<std::int64_t> reached;
    for (int kills = 0; kills < 10; ++kills) {
      const double seconds = 0.001 * static_cast<double>(engine() % 100);
      const std::string wait = "sleep " + std::to_string(seconds);
      const CommandResult killed =
          run_command(while_it_runs(folder, command, wait + "; kill -KILL " + children_of_run + " $run"));
      EXPECT_NE(killed.status, 75);
      const auto checkpoints = list_checkpoints(folder / "out");
      if (!checkpoints.empty()) reached.insert(checkpoint_step(checkpoints.front()));
    }
    // The kills fell in different places of the run.
    EXPECT_GE(reached.size(), 4U);
    const CommandResult rest = run_command(command);
    EXPECT_EQ(rest.status, 0) << rest.output;
    expect_same_end(folder);
  }
}

/// Whether a shell may mount a small disk that nobody else sees.
bool can_mount() {
  return run_command("unshare --mount --map-root-user sh -c 'mount -t tmpfs none /mnt'").status == 0 ||
         run_command("unshare --mount sh -c 'mount -t tmpfs none /mnt'").status == 0;
}

std::string with_mounts(const std::string& script) {
  const std::string options = ::geteuid() == 0 ? "" : "--map-root-user ";
  return "unshare --mount " + options + "sh -c \"" + script + "\"";
}

TEST(FullDisk, CostsOnlyTheWorkSinceTheLastCheckpoint) {
  if (!can_mount()) GTEST_SKIP() << "no disk may be mounted here";
  const TrainingFolder folder;
  train_whole(folder, 1);
  const auto size = std::filesystem::file_size(folder.checkpoint(many_steps, "whole"));
  std::filesystem::create_directory(folder / "out");
  const std::string out = (folder / "out").string();
  // Room for one checkpoint and a half beside the metrics, which here grow to less than a checkpoint.
  const std::string small = std::to_string(size + size / 2);
  const std::string log = (folder / "log").string();
  const std::string copy = (folder / "full").string();
  const std::string command = folder.train(long_run(), "--resume auto");
  const CommandResult result = run_command(
      with_mounts("mount -t tmpfs -o size=" + small + " none " + out + " && { " + command + " > " + log + "-first 2> " +
                  log + "; echo status \\$?; ls -A " + out + "; mount -o remount,size=100m " + out + "; " + command +
                  " > " + log + "-rest 2>&1; echo rest \\$?; cp -r " + out + " " + copy + "; }"));
  EXPECT_THAT(result.output, HasSubstr("status 1\n")) << result.output;
  EXPECT_THAT(result.output, HasSubstr("rest 0\n")) << read_file(log + "-rest");
  EXPECT_THAT(result.output, HasSubstr("checkpoint-00000003.h5\nmetrics.jsonl\n"));
  const auto lines = lines_of(read_file(log));
  ASSERT_EQ(lines.size(), 1U) << read_file(log);
  EXPECT_THAT(lines[0], HasSubstr("sward-train: " + out + "/"));
  EXPECT_THAT(lines[0], HasSubstr("No space left on device"));
  EXPECT_THAT(read_file(log + "-first"), HasSubstr(out + ": there is room for 2 of the 3 checkpoints of "));
  std::filesystem::remove_all(folder / "out");
  std::filesystem::rename(copy, folder / "out");
  expect_same_end(folder);
}

TEST(FullSharedMemory, IsNoObstacle) {
  if (!can_mount()) GTEST_SKIP() << "no disk may be mounted here";
  const TrainingFolder folder;
  const std::string plan = program("sward-plan") + " " + (folder / "run.toml").string();
  const CommandResult result =
      run_command(with_mounts("mount -t tmpfs -o size=64k none /dev/shm && { " + plan + " > /dev/null; }"));
  EXPECT_EQ(result.status, 0) << result.output;
}

TEST(ReadOnlyFolder, IsRefusedBeforeTheFirstUpdate) {
  if (!can_mount()) GTEST_SKIP() << "no disk may be mounted here";
  const TrainingFolder folder;
  std::filesystem::create_directory(folder / "out");
  const std::string out = (folder / "out").string();
  for (const std::string& directory : {out, out + "/new"}) {
    const CommandResult result = run_command(with_mounts("mount -t tmpfs -o ro none " + out + " && { " +
                                                         folder.train({"output.directory=" + directory}) + " > " +
                                                         (folder / "log").string() + "; }"));
    EXPECT_EQ(result.status, 2) << result.output;
    EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
    EXPECT_THAT(result.output, HasSubstr("sward-train: " + directory));
    EXPECT_THAT(result.output, HasSubstr("Read-only file system"));
    EXPECT_EQ(lines_with(read_file(folder / "log"), "step ").size(), 0U);
  }
}

TEST(BrokenCheckpoint, IsPassedOverWithItsReasonWhereverTheBrokenArrayIs) {
  const TrainingFolder folder;
  for (const int ranks : {1, 3}) {
    const std::vector<std::string> settings{"batch.sequences=6", "schedule.steps=6", "output.checkpoint_interval=2"};
    std::filesystem::remove_all(folder / "out");
    ASSERT_EQ(run_command(folder.train(settings, "", ranks)).status, 0);
    const auto wanted = state_of(folder.checkpoint(6));
    // A bit of an array that only one rank reads, in the file's middle.
    std::string bytes = read_file(folder.checkpoint(6));
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 4);
    write_file(folder.checkpoint(6), bytes);
    const CommandResult result = run_command(folder.train(settings, "--resume auto", ranks));
    EXPECT_EQ(result.status, 0) << result.output;
    ASSERT_EQ(lines_with(result.output, "passed over: ").size(), 1U) << result.output;
    EXPECT_THAT(result.output, HasSubstr("passed over: " + folder.checkpoint(6).string() + ": /"));
    EXPECT_EQ(state_of(folder.checkpoint(6)), wanted);
  }
}

TEST(NonfiniteUpdates, AreSkippedAndCountedOnRequest) {
  const TrainingFolder folder;
  ASSERT_EQ(run_command(folder.train({"schedule.steps=1"})).status, 0);
  // Steps so long that the second update overflows; from then on nothing changes any more.
  const std::vector<std::string> settings{"schedule.steps=8",
                                          "optimizer.learning_rate=1e30",
                                          "optimizer.nonfinite=skip",
                                          "output.checkpoint_interval=1",
                                          "output.keep=9",
                                          "data.validation="};
  const CommandResult result = run_command(folder.train(settings, "--resume auto"));
  EXPECT_EQ(result.status, 0) << result.output;
  const auto lines = timeless_metrics(folder / "out");
  std::int64_t first_skipped = 0;
  for (const auto& line : lines)
    if (line.contains("skipped") && line["skipped"] == true && first_skipped == 0) first_skipped = line["step"];
  ASSERT_GT(first_skipped, 0);
  EXPECT_LT(first_skipped, 7);
  for (const auto& line : lines) {
    if (line.contains("skipped")) {
      EXPECT_EQ(line["skipped"], line["step"] >= first_skipped) << line;
    }
  }
  EXPECT_THAT(result.output, HasSubstr("skipped: the "));
  EXPECT_THAT(result.output, HasSubstr(std::to_string(8 - first_skipped) + " updates were skipped"));
  // The weights stay; a refresh that was skipped has set the moments to zero.
  const CheckpointFile before(folder.checkpoint(first_skipped));
  const CheckpointFile after(folder.checkpoint(8));
  for (const ParameterInfo& parameter : after.parameters())
    EXPECT_EQ(before.read_weight(parameter), after.read_weight(parameter)) << parameter.name;
}

}  // namespace
}  // namespace Sward::Test
