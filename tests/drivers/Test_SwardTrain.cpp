#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "Sward_FolderLock.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

void expect_finished(const std::string& command) {
  const CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
}

TEST(SwardTrain, HelpIsNoMistake) {
  const CommandResult result = run_command(program("sward-train") + " --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("--resume"));
  EXPECT_EQ(run_for_errors(program("sward-train") + " --help").output, "");
}

TEST(SwardTrain, DryRunPrintsThePlanAndWritesNothing) {
  const TrainingFolder folder;
  const auto before = snapshot(folder.path());
  const CommandResult result = run_command(folder.train({}, "--dry-run"));
  EXPECT_EQ(result.status, 0);
  for (const char* row : {"weights", "optimizer states", "gradients", "activations", "workspace", "message an update"})
    EXPECT_THAT(result.output, HasSubstr(row));
  EXPECT_EQ(snapshot(folder.path()), before);
}

TEST(SwardTrain, WritesMetricsEvaluationsAndTheCheckpointsToKeep) {
  const TrainingFolder folder;
  expect_finished(folder.train({"output.checkpoint_interval=1", "output.evaluation_interval=3"}));
  std::vector<json> updates;
  std::vector<json> evaluations;
  for (const json& line : timeless_metrics(folder / "out"))
    (line.contains("validation_loss") ? evaluations : updates).push_back(line);
  ASSERT_EQ(updates.size(), 4U);
  for (std::int64_t step = 0; step < 4; ++step) {
    const json& line = updates[static_cast<std::size_t>(step)];
    EXPECT_EQ(line["step"], step);
    EXPECT_EQ(line["tokens"], (step + 1) * 4 * 8);
    EXPECT_EQ(line["refreshed"], step % 3 == 0);
    EXPECT_EQ(line["learning_rate"], 0.01);
    EXPECT_GT(line["gradient_norm"], 0.0);
    // A fresh model knows nothing of 32 tokens.
    EXPECT_NEAR(line["loss"].get<double>(), std::log(32.0), 0.2);
  }
  ASSERT_EQ(evaluations.size(), 2U);
  EXPECT_EQ(evaluations[0]["step"], 2);
  EXPECT_EQ(evaluations[1]["step"], 3);
  EXPECT_THAT(list_checkpoints(folder / "out"), ElementsAre(folder.checkpoint(4), folder.checkpoint(3)));
  EXPECT_EQ(snapshot(folder / "out").size(), 3U);
}

class SwardTrainInPrecision : public ::testing::TestWithParam<std::string> {};

TEST_P(SwardTrainInPrecision, TheSameSeedGivesTheSameRun) {
  const TrainingFolder folder;
  const std::string precision = "precision.compute=" + GetParam();
  for (const std::string name : {"a", "b"}) expect_finished(folder.train({folder.output_setting(name), precision}));
  expect_finished(folder.train({folder.output_setting("c"), precision, "run.seed=6"}));
  EXPECT_EQ(timeless_metrics(folder / "a"), timeless_metrics(folder / "b"));
  EXPECT_EQ(state_of(folder.checkpoint(4, "a")), state_of(folder.checkpoint(4, "b")));
  EXPECT_NE(timeless_metrics(folder / "a"), timeless_metrics(folder / "c"));
  EXPECT_NE(state_of(folder.checkpoint(4, "a")), state_of(folder.checkpoint(4, "c")));
}

INSTANTIATE_TEST_SUITE_P(Precisions, SwardTrainInPrecision, ::testing::Values("float", "bfloat16"));

class SwardTrainOnRanks : public ::testing::TestWithParam<int> {};

TEST_P(SwardTrainOnRanks, GoesOnAfterAnInterruptionAsIfThereHadBeenNone) {
  const TrainingFolder folder;
  const std::vector<std::string> whole{folder.output_setting("whole"), "schedule.steps=8", "batch.micro=1"};
  expect_finished(folder.train(whole, "", GetParam()));
  expect_finished(folder.train({"schedule.steps=6", "output.checkpoint_interval=4", "batch.micro=1"}, "", GetParam()));
  // As if it had been killed on its way to the next checkpoint: two updates are in the metrics alone.
  ASSERT_TRUE(std::filesystem::remove(folder.checkpoint(6)));
  expect_finished(folder.train({"schedule.steps=8", "batch.micro=1"}, "--resume auto", GetParam()));
  const auto state = state_of(folder.checkpoint(8));
  // 12 weights; two moments and a counter of each, and of the 7 projected ones rows and scale too.
  EXPECT_EQ(state.size(), 12U + 12 * 3 + 7 * 2);
  EXPECT_EQ(state, state_of(folder.checkpoint(8, "whole")));
  EXPECT_NE(state, state_of(folder.checkpoint(4)));
  std::vector<json> lines;
  for (const json& line : timeless_metrics(folder / "out"))
    // The interrupted run evaluated after its last update.
    if (!line.contains("validation_loss")) lines.push_back(line);
  std::vector<json> wanted = timeless_metrics(folder / "whole");
  wanted.pop_back();
  EXPECT_EQ(lines, wanted);
}

INSTANTIATE_TEST_SUITE_P(Ranks, SwardTrainOnRanks, ::testing::Values(1, 2));

TEST(SwardTrain, GoesOnWithAnotherRankAtARefresh) {
  const TrainingFolder folder;
  const std::string interval = "grass.refresh_interval=4";
  // At a rate of 0 the weights, and the moments of what is not projected, are the same with either rank.
  for (const std::string rank : {"2", "4"})
    expect_finished(folder.train({interval, folder.output_setting("rank" + rank), "grass.rank=" + rank,
                                  "optimizer.learning_rate=0", "schedule.steps=6", "output.checkpoint_interval=4"}));
  for (const std::string rank : {"2", "4"})
    expect_finished(folder.train({interval, folder.output_setting("from" + rank), "grass.rank=4", "schedule.steps=8"},
                                 "--resume " + folder.checkpoint(4, "rank" + rank).string()));
  EXPECT_EQ(state_of(folder.checkpoint(8, "from2")), state_of(folder.checkpoint(8, "from4")));
  EXPECT_EQ(timeless_metrics(folder / "from2"), timeless_metrics(folder / "from4"));

  const CommandResult between =
      run_for_errors(folder.train({interval, folder.output_setting("between"), "grass.rank=4", "schedule.steps=8"},
                                  "--resume " + folder.checkpoint(6, "rank2").string()));
  EXPECT_EQ(between.status, 2) << between.output;
  EXPECT_THAT(between.output, HasSubstr("q_proj.weight/rows: has extents (2), wanted (4)"));
  EXPECT_FALSE(std::filesystem::exists(folder / "between"));
}

TEST(SwardTrain, ResumesFromTheNewestCheckpointThatCanBeRead) {
  const TrainingFolder folder;
  expect_finished(folder.train({folder.output_setting("whole"), "schedule.steps=5"}));
  expect_finished(folder.train({"output.checkpoint_interval=3"}));
  const std::string bytes = read_file(folder.checkpoint(4));
  write_file(folder.checkpoint(4), bytes.substr(0, bytes.size() / 2));
  const CommandResult result = run_command(folder.train({"schedule.steps=5"}, "--resume auto"));
  EXPECT_EQ(result.status, 0) << result.output;
  EXPECT_THAT(result.output, HasSubstr(folder.checkpoint(4).string()));
  EXPECT_EQ(state_of(folder.checkpoint(5)), state_of(folder.checkpoint(5, "whole")));
}

TEST(SwardTrain, SaysThatACheckpointHasNoOptimizerState) {
  const TrainingFolder folder;
  expect_finished(folder.train());
  for (const auto& [from, to] : {std::pair("out/checkpoint-00000004.h5", "hf"), std::pair("hf", "converted.h5")})
    ASSERT_EQ(
        run_command(program("sward-convert") + " " + (folder / from).string() + " " + (folder / to).string()).status,
        0);
  const std::string converted = (folder / "converted.h5").string();
  const std::string wanted = converted + ": has no optimizer state; moments start at zero";
  for (const int ranks : {1, 2}) {
    const std::string output = folder.output_setting("on" + std::to_string(ranks));
    const CommandResult result = run_command(folder.train({output, "batch.micro=1"}, "--resume " + converted, ranks));
    EXPECT_EQ(result.status, 0) << result.output;
    EXPECT_EQ(lines_with(result.output, converted), std::vector<std::string>{wanted}) << result.output;
  }
  const CommandResult whole =
      run_command(folder.train({folder.output_setting("whole")}, "--resume " + folder.checkpoint(4).string()));
  EXPECT_EQ(whole.output.find("no optimizer state"), std::string::npos) << whole.output;
}

TEST(SwardTrain, ResumesAutomaticallyFromNothing) {
  const TrainingFolder folder;
  expect_finished(folder.train({folder.output_setting("plain")}));
  expect_finished(folder.train({folder.output_setting("fresh")}, "--resume auto"));
  EXPECT_EQ(timeless_metrics(folder / "fresh"), timeless_metrics(folder / "plain"));
  // Killed before its first checkpoint.
  std::filesystem::create_directory(folder / "killed");
  write_file(folder / "killed/metrics.jsonl", "{\"step\":0,\"loss\":3.0}\n{\"step\":1,\"lo");
  expect_finished(folder.train({folder.output_setting("killed")}, "--resume auto"));
  EXPECT_EQ(timeless_metrics(folder / "killed"), timeless_metrics(folder / "plain"));
}

TEST(SwardTrain, KeepsItsOwnCheckpointsBesideLaterOnesThatCannotBeRead) {
  const TrainingFolder folder;
  expect_finished(folder.train({"output.checkpoint_interval=1", "output.keep=9"}));
  for (const std::int64_t step : {2, 3, 4}) write_file(folder.checkpoint(step), "no checkpoint any more");
  expect_finished(folder.train({"schedule.steps=2", "output.keep=1"}, "--resume auto"));
  EXPECT_THAT(list_checkpoints(folder / "out"),
              ElementsAre(folder.checkpoint(4), folder.checkpoint(3), folder.checkpoint(2)));
  EXPECT_EQ(CheckpointFile(folder.checkpoint(2)).header().step, 2);
}

TEST(SwardTrain, AFinishedRunHasNothingLeftToDo) {
  const TrainingFolder folder;
  expect_finished(folder.train());
  const auto before = snapshot(folder / "out");
  expect_finished(folder.train({}, "--resume auto"));
  EXPECT_EQ(snapshot(folder / "out"), before);
}

/// One line that names the step and a parameter; checkpoints as they were.
void expect_nonfinite(const TrainingFolder& folder, const std::string& command, const std::filesystem::path& earlier) {
  const std::string bytes = read_file(earlier);
  const CommandResult result = run_for_errors(command);
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
  EXPECT_THAT(result.output, StartsWith("sward-train: step "));
  EXPECT_THAT(result.output, HasSubstr("weight is not finite"));
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(read_file(earlier), bytes);
  EXPECT_TRUE(list_checkpoints(folder / "new").empty());
}

TEST(SwardTrain, StopsAtAGradientThatIsNotFinite) {
  const TrainingFolder folder;
  expect_finished(folder.train({"schedule.steps=2"}));
  expect_nonfinite(folder, folder.train({"schedule.steps=20", "optimizer.learning_rate=1e30"}, "--resume auto"),
                   folder.checkpoint(2));
  EXPECT_THAT(list_checkpoints(folder / "out"), ElementsAre(folder.checkpoint(2)));
}

TEST(SwardTrain, StopsAtAWeightThatIsNotANumber) {
  const TrainingFolder folder;
  expect_finished(folder.train({"schedule.steps=1"}));
  const CheckpointFile trained(folder.checkpoint(1));
  CheckpointHeader header;
  header.shape = trained.header().shape;
  Hdf5File broken = create_checkpoint(folder / "broken.h5", header);
  for (const ParameterInfo& parameter : trained.parameters()) {
    std::vector<float> values = trained.read_weight(parameter);
    if (parameter.kind == ParameterKind::mlp) values[3] = std::numeric_limits<float>::quiet_NaN();
    broken.write("/weights/" + parameter.name, std::span<const float>(values), file_extents(parameter));
  }
  broken.close();
  expect_nonfinite(folder, folder.train({folder.output_setting("new")}, "--resume " + (folder / "broken.h5").string()),
                   folder / "broken.h5");
}

// What is refused: exit status 2, one line for all ranks that names what is wrong, and not a byte written.

struct BadInput {
  std::string name;
  std::vector<std::string> settings;  ///< $ stands for the folder
  std::string rest;                   ///< more of the command line
  std::vector<std::string> wanted;    ///< parts of the message
  int ranks = 1;
  std::string more_configuration = "";  ///< at the end of the file, in [run]
};

void PrintTo(const BadInput& input, std::ostream* out) {
  *out << input.name << (input.ranks > 1 ? ", on several ranks" : "");
}

std::string with_folder(std::string text, const TrainingFolder& folder) {
  const std::size_t place = text.find('$');
  return place == std::string::npos ? text : text.replace(place, 1, folder.path().string());
}

/// Every file that some of the tests stumble over.
void add_bad_files(const TrainingFolder& folder) {
  std::vector<std::uint32_t> tokens = random_tokens(1000, TrainingFolder::vocabulary, 1);
  tokens[987] = TrainingFolder::vocabulary + 3;
  write_token_file(folder / "beyond.h5", tokens, 100);
  write_token_file(folder / "short.h5", random_tokens(8, TrainingFolder::vocabulary, 1), TrainingFolder::vocabulary);
  CheckpointHeader header;
  header.shape = {16, 24, 2, 2, 1, 32, false, 1e-6, 10000.0};
  Hdf5File model = create_checkpoint(folder / "model.h5", header);
  model.create_group("/weights");
  model.close();
  write_file(folder / "file", "some text");
  for (const char* name : {"used", "checkpointed"}) std::filesystem::create_directory(folder / name);
  write_file(folder / "used/metrics.jsonl", "{\"step\":0}\n");
  write_file(folder / "checkpointed/checkpoint-00000003.h5", "no checkpoint at all");
}

class SwardTrainInput : public ::testing::TestWithParam<BadInput> {};

TEST_P(SwardTrainInput, IsRefusedInOneLineAndNothingIsWritten) {
  const BadInput& input = GetParam();
  const TrainingFolder folder;
  add_bad_files(folder);
  write_file(folder / "run.toml", folder.configuration() + input.more_configuration);
  std::vector<std::string> settings;
  for (const std::string& setting : input.settings) settings.push_back(with_folder(setting, folder));
  const auto before = snapshot(folder.path());
  const CommandResult result = run_for_errors(folder.train(settings, with_folder(input.rest, folder), input.ranks));
  EXPECT_EQ(result.status, 2) << result.output;
  const std::vector<std::string> lines = lines_with(result.output, "sward-train: ");
  ASSERT_EQ(lines.size(), 1U) << result.output;
  // Alone there is no mpirun to add its own.
  if (input.ranks == 1) {
    EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
  }
  for (const std::string& wanted : input.wanted) EXPECT_THAT(lines[0], HasSubstr(with_folder(wanted, folder)));
  EXPECT_EQ(snapshot(folder.path()), before);
}

INSTANTIATE_TEST_SUITE_P(
    Inputs, SwardTrainInput,
    ::testing::Values(
        BadInput{"an unknown key", {}, "", {"$/run.toml:27: key 'run.sede' is unknown", "seed"}, 1, "sede = 6\n"},
        BadInput{"an unknown key", {}, "", {"$/run.toml:27: key 'run.sede' is unknown", "seed"}, 2, "sede = 6\n"},
        BadInput{
            "a mistyped value", {}, "", {"$/run.toml:27: key 'run.recompute' is \"blok\""}, 1, "recompute = 'blok'\n"},
        BadInput{"a wrong type", {"batch.micro=two"}, "", {"--set batch.micro=two", "must be an integer"}},
        BadInput{"bad syntax", {}, "", {"$/run.toml:27: "}, 1, "recompute =\n"},
        BadInput{"a missing token file", {"data.train=$/none.h5"}, "", {"$/none.h5: no such file"}},
        BadInput{"a missing token file", {"data.train=$/none.h5"}, "", {"$/none.h5: no such file"}, 2},
        BadInput{"a missing validation file", {"data.validation=$/none.h5"}, "", {"$/none.h5: no such file"}},
        BadInput{"a token beyond the vocabulary",
                 {"data.train=$/beyond.h5"},
                 "",
                 {"$/beyond.h5", "token 35 at position 987", "vocabulary size 32"}},
        // The first rank's share of the file is good.
        BadInput{"a token beyond the vocabulary",
                 {"data.train=$/beyond.h5"},
                 "",
                 {"$/beyond.h5", "token 35 at position 987", "vocabulary size 32"},
                 2},
        BadInput{"a validation token beyond the vocabulary",
                 {"data.validation=$/beyond.h5"},
                 "",
                 {"$/beyond.h5", "token 35"}},
        BadInput{"too few tokens", {"data.train=$/short.h5"}, "", {"$/short.h5: /tokens: 8 tokens hold 0 sequences"}},
        BadInput{"too few tokens for validation",
                 {"data.validation=$/short.h5"},
                 "",
                 {"$/short.h5: is shorter than one sequence"}},
        BadInput{"no multiple of ranks x micro", {"batch.sequences=5"}, "", {"key 'batch.sequences' is 5", "1 x 2"}},
        BadInput{"no multiple of ranks x micro", {"batch.sequences=6"}, "", {"key 'batch.sequences' is 6", "2 x 2"}, 2},
        BadInput{"a run in the output directory", {"output.directory=$/used"}, "", {"$/used: already holds a run"}},
        BadInput{"a run in the output directory", {"output.directory=$/used"}, "", {"$/used: already holds a run"}, 2},
        BadInput{"a checkpoint in the output directory",
                 {"output.directory=$/checkpointed"},
                 "",
                 {"$/checkpointed: already holds a run"}},
        BadInput{"another run in the output directory",
                 {"output.directory=$/used"},
                 "--resume $/model.h5",
                 {"$/used: already holds a run"}},
        BadInput{"no readable checkpoint",
                 {"output.directory=$/checkpointed"},
                 "--resume auto",
                 {"$/checkpointed", "none of its checkpoints can be read"}},
        BadInput{"a file as output directory", {"output.directory=$/file"}, "", {"$/file"}},
        BadInput{"a missing checkpoint", {}, "--resume $/none.h5", {"$/none.h5: no such file"}},
        BadInput{"a token file as checkpoint", {}, "--resume $/train.h5", {"$/train.h5: is not a checkpoint"}},
        BadInput{"a shape that cannot be", {"model.hidden_size=15"}, "", {"$/run.toml:1: [model]: hidden_size is 15"}},
        BadInput{"a missing initial model", {"model.initial=$/none"}, "", {"$/none"}},
        BadInput{"a NUL in a name", {"output.directory=\"a\\u0000b\""}, "", {"key 'output.directory' has a NUL in it"}},
        BadInput{"an empty checkpoint's name", {}, "--resume ''", {"--resume: is empty"}},
        BadInput{"an unknown option", {}, "--resumee auto", {"--resumee"}}));

TEST(SwardTrainInput, AFolderThatAnotherRunWritesIntoIsRefused) {
  const TrainingFolder folder;
  std::filesystem::create_directory(folder / "out");
  std::optional<FolderLock> other_run(folder / "out");
  for (const int ranks : {1, 2}) {
    const CommandResult result = run_for_errors(folder.train({"batch.micro=1"}, "", ranks));
    EXPECT_EQ(result.status, 2);
    ASSERT_EQ(lines_with(result.output, "sward-train: ").size(), 1U) << result.output;
    EXPECT_THAT(result.output, HasSubstr((folder / "out").string() + ": another run is writing here"));
  }
  other_run.reset();
  EXPECT_EQ(run_command(folder.train({})).status, 0);
}

TEST(SwardTrainInput, NoArgumentsAreOneLineAndStatus2) {
  for (const int ranks : {1, 2}) {
    const CommandResult result = run_for_errors(on_ranks(ranks, program("sward-train")));
    EXPECT_EQ(result.status, 2);
    ASSERT_EQ(lines_with(result.output, "sward-train: ").size(), 1U) << result.output;
    EXPECT_THAT(lines_with(result.output, "sward-train: ")[0], HasSubstr("configuration"));
  }
}

TEST(SwardTrainInput, AMissingConfigurationIsNamed) {
  const CommandResult result = run_for_errors(program("sward-train") + " /no/such.toml");
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(result.output, "sward-train: /no/such.toml: no such configuration file\n");
}

TEST(SwardTrainInput, GoingBackIsRefusedWhileThereAreLaterCheckpoints) {
  const TrainingFolder folder;
  ASSERT_EQ(run_command(folder.train({"output.checkpoint_interval=1"})).status, 0);
  const auto before = snapshot(folder.path());
  const CommandResult result = run_for_errors(folder.train({}, "--resume " + folder.checkpoint(3).string()));
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
  EXPECT_THAT(result.output, HasSubstr(folder.checkpoint(4).string() + ": is later"));
  EXPECT_EQ(snapshot(folder.path()), before);
}

TEST(SwardTrainInput, RanksThatFindDifferentCheckpointsDoNotStart) {
  // Each rank has an output folder of its own, as on nodes that do not share one; only the first holds a run.
  const TrainingFolder folder;
  const std::string output = (folder / "of-rank-").string();
  ASSERT_EQ(run_command(folder.train({"output.directory=" + output + "0", "schedule.steps=2"})).status, 0);
  write_file(folder / "start.sh", "exec " + program("sward-train") + " " + (folder / "run.toml").string() +
                                      " --resume auto --set output.directory=" + output + "$OMPI_COMM_WORLD_RANK");
  const auto before = snapshot(folder.path());
  const CommandResult result = run_for_errors(on_ranks(2, "sh " + (folder / "start.sh").string()));
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(lines_with(result.output, "sward-train: ").size(), 1U) << result.output;
  EXPECT_THAT(result.output, HasSubstr("ranks find different checkpoints"));
  EXPECT_EQ(snapshot(folder.path()), before);
}

TEST(SwardTrainInput, ACheckpointOfAnotherRunIsNotGoneOnWith) {
  const TrainingFolder folder;
  ASSERT_EQ(run_command(folder.train({"schedule.steps=1"})).status, 0);
  const auto before = snapshot(folder.path());
  const std::string file = folder.checkpoint(1).string();
  const std::vector<std::pair<std::string, std::string>> cases{{"run.seed=6", "run.seed"},
                                                               {"batch.sequences=8", "4 sequences of 8 tokens"},
                                                               {"model.num_layers=2", "has model.num_layers = "},
                                                               {"grass.rank=5", "/optimizer/"},
                                                               {"optimizer.method=adamw", "/optimizer/"}};
  for (const auto& [setting, wanted] : cases) {
    const CommandResult result = run_for_errors(folder.train({setting}, "--resume auto"));
    EXPECT_EQ(result.status, 2) << setting;
    EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
    EXPECT_THAT(result.output, HasSubstr(file));
    EXPECT_THAT(result.output, HasSubstr(wanted));
    EXPECT_EQ(snapshot(folder.path()), before) << setting;
  }
}

}  // namespace
}  // namespace Sward::Test
