#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_SlurmJob.hpp"

namespace Sward::Test {
namespace {

using testing::Each;

/// Submits a study of 3 updates on 1 and on 2 ranks, waits for its end, and returns its log.
std::string run_study(const TrainingFolder& folder, const std::string& arguments) {
  const std::string job =
      submit(folder, "scaling.sbatch", "SWARD_STEPS=3 SWARD_STUDY=study",
             "--array=1,2 --ntasks=2 --cpus-per-task=1 --output=log --open-mode=append", "run.toml " + arguments);
  EXPECT_TRUE(job_ends(job, 60));
  const std::string log = read_file(folder / "log");
  EXPECT_THAT(job_fields(job, "ExitCode"), Each("0:0")) << log;
  return log;
}

/// Tokens of the third update of a run; none where it has another number of updates, or has left more than metrics.
std::int64_t tokens_of(const TrainingFolder& folder, const std::string& run) {
  const auto lines = timeless_metrics(folder / ("study/" + run));
  if (lines.size() != 3 || snapshot(folder / ("study/" + run)).size() != 1) return 0;
  return lines.back()["tokens"];
}

// Sequences have 8 tokens.
TEST(ScalingScript, KeepsTheMetricsOfBothMethodsByNumberOfRanks) {
  const TrainingFolder folder;
  const std::string log = run_study(folder, "weak 4") + run_study(folder, "strong 4");
  for (const std::string method : {"grass", "adamw"}) {
    EXPECT_EQ(tokens_of(folder, "weak/" + method + "/1"), 3 * 4 * 8) << log;
    EXPECT_EQ(tokens_of(folder, "weak/" + method + "/2"), 3 * 8 * 8);
    EXPECT_EQ(tokens_of(folder, "strong/" + method + "/1"), 3 * 4 * 8);
    EXPECT_EQ(tokens_of(folder, "strong/" + method + "/2"), 3 * 4 * 8);
  }
  // AdamW sends whole gradients.
  EXPECT_GT(timeless_metrics(folder / "study/weak/adamw/2").back()["communicated_bytes"],
            timeless_metrics(folder / "study/weak/grass/2").back()["communicated_bytes"]);
}

}  // namespace
}  // namespace Sward::Test
