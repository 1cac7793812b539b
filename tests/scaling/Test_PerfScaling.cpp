#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// The model of TrainingFolder with four sequences of an update over all ranks, with Grass and with AdamW.
std::string scaling_command(int ranks) {
  const std::string model = "16/24/2/1/32:8:" + std::to_string(4 / ranks);
  return on_ranks(ranks, program("perf_scaling") + " " + model + ":grass:4 " + model +
                             ":adamw --precision float --steps 3 --micro " + std::to_string(4 / ranks));
}

json plan_of(const TrainingFolder& folder, const std::string& method, int ranks) {
  const std::string command = program("sward-plan") + " " + (folder / "run.toml").string() + " --json --ranks " +
                              std::to_string(ranks) + " --set optimizer.method=" + method;
  return json::parse(run_command("{ " + command + " 2> /dev/null; }").output);
}

/// Bytes of the plan's messages from the last layer to the first, as a backward pass sends them.
json messages_of(const json& plan) {
  json messages = json::array();
  for (const json& message : plan["messages"]) messages.insert(messages.begin(), message["regular"]);
  return messages;
}

class PerfScaling : public ::testing::TestWithParam<int> {};

TEST_P(PerfScaling, SendsWhatIsPlanned) {
  const int ranks = GetParam();
  const TrainingFolder folder;
  const CommandResult result = run_command("{ " + scaling_command(ranks) + " 2> /dev/null; }");
  ASSERT_EQ(result.status, 0) << result.output;
  const std::vector<std::string> lines = lines_with(result.output, "{");
  ASSERT_EQ(lines.size(), 2U) << result.output;
  for (const std::string& text : lines) {
    const json line = json::parse(text);
    const json plan = plan_of(folder, line["method"], ranks);
    EXPECT_EQ(line["ranks"], ranks);
    EXPECT_EQ(line["tokens"], 4 * 8);
    EXPECT_EQ(line["communicated_bytes"], plan["message_bytes"]["regular"]);
    EXPECT_EQ(line["refresh_bytes"], plan["message_bytes"]["refresh"]);
    EXPECT_EQ(line["messages"], messages_of(plan));
    EXPECT_GT(line["products_seconds"], 0.0);
    EXPECT_LE(line["passes_seconds"], line["local_seconds"]);
    EXPECT_LE(line["waiting_seconds"].get<double>() + line["moving_seconds"].get<double>(), line["step_seconds"]);
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, PerfScaling, testing::Values(1, 2));

TEST(PerfScalingArguments, NameACaseThatIsNone) {
  const CommandResult result = run_command(program("perf_scaling") + " 60m:256:adamw");
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.output, HasSubstr("'60m:256:adamw' is no case"));
}

}  // namespace
}  // namespace Sward::Test
