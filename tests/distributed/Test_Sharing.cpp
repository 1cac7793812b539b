#include <gtest/gtest.h>
#include <mpi.h>

#include <algorithm>
#include <cmath>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_SharedFolder.hpp"
#include "Sward_TrainingFixture.hpp"

// run.shard = "states" changes where moments are and who updates a weight, and no bit of the result; "weights" the
// order in which ranks' gradients are added, too.

namespace Sward::Test {
namespace {

/// Metrics without what sharing changes: the size of messages and memory.
std::vector<nlohmann::json> results(const std::filesystem::path& output) {
  std::vector<nlohmann::json> lines = timeless_metrics(output);
  for (nlohmann::json& line : lines) {
    line.erase("communicated_bytes");
    line.erase("device_memory_bytes");
  }
  return lines;
}

/// Settings of a model whose matrices are split on two to four ranks, some of them into fewer parts than ranks.
TrainingRun large_enough(TrainingRun run) {
  run.more.insert(run.more.begin(), {"model.hidden_size=40", "model.intermediate_size=600", "grass.rank=9"});
  return run;
}

TrainingRun with(TrainingRun run, const std::string& setting) {
  run.more.push_back(setting);
  return run;
}

/// Of losses, and of weights relative to the largest: sums that are rounded otherwise, and moments that are rounded to
/// 8 bits after them, grow apart.
double tolerance() { return 2e-3; }

class SharedStates : public ::testing::TestWithParam<TrainingRun> {};

TEST_P(SharedStates, GiveTheSameBitsAsWholeOnesThroughAStop) {
  SharedFolder folder;
  if (folder.is_root()) write_token_file(folder / "short.h5", random_tokens(321, 32, 3), 32);
  MPI_Barrier(MPI_COMM_WORLD);
  const TrainingRun whole = large_enough(GetParam());
  const TrainingRun shared = with(whole, "run.shard=states");
  ASSERT_TRUE(folder.train(with(whole, "output.checkpoint_interval=6"), "whole", "", 0));
  ASSERT_FALSE(folder.train(shared, "shared", "", 6));
  // The states in the file are those of ranks that have them all, and go on in either way.
  ASSERT_TRUE(folder.train(shared, "shared", "auto", 0));
  ASSERT_FALSE(folder.train(shared, "mixed", "", 6));
  ASSERT_TRUE(folder.train(whole, "mixed", "auto", 0));
  if (!folder.is_root()) return;
  EXPECT_EQ(state_of(folder.checkpoint(6, "shared")), state_of(folder.checkpoint(6, "whole")));
  EXPECT_EQ(state_of(folder.checkpoint(11, "shared")), state_of(folder.checkpoint(11, "whole")));
  EXPECT_EQ(state_of(folder.checkpoint(11, "mixed")), state_of(folder.checkpoint(11, "whole")));
  EXPECT_EQ(results(folder / "shared"), results(folder / "whole"));
  const auto first_update = [&](const std::string& output, const std::string& key) -> std::int64_t {
    return timeless_metrics(folder / output).front()[key];
  };
  if (folder.ranks() == 1) return;
  EXPECT_GT(first_update("shared", "communicated_bytes"), first_update("whole", "communicated_bytes"));
}

INSTANTIATE_TEST_SUITE_P(
    Methods, SharedStates,
    ::testing::Values(
        TrainingRun{"adamw", "norm", "shuffled"}, TrainingRun{"adamw", "norm", "shuffled", {"optimizer.state=int8"}},
        TrainingRun{"grass", "top-r", "shuffled"},
        TrainingRun{"grass", "norm", "shuffled", {"optimizer.weight_decay=0.1"}},
        TrainingRun{"grass", "norm-replacement", "shuffled"},
        TrainingRun{
            "grass", "norm-squared-replacement", "shuffled", {"grass.side=columns", "model.tie_embeddings=true"}},
        TrainingRun{
            "grass", "uniform-replacement", "sequential", {"grass.side=rows", "grass.matrices=[\"mlp\", \"head\"]"}},
        TrainingRun{"grass", "norm", "shuffled", {"optimizer.state=int8"}},
        TrainingRun{"grass", "norm-replacement", "shuffled", {"optimizer.state=int8", "grass.side=rows"}},
        TrainingRun{"grass", "norm", "shuffled", {"optimizer.state=bfloat16", "run.message=bfloat16"}},
        TrainingRun{"grass", "norm", "shuffled", {"precision.compute=bfloat16", "run.embedding_message=rows"}},
        TrainingRun{"grass", "norm-replacement", "shuffled", {"precision.compute=bfloat16", "optimizer.state=int8"}},
        TrainingRun{"adamw", "norm", "sequential", {"precision.compute=bfloat16", "optimizer.state=bfloat16"}}));

TEST(SharedStatesInTheArena, TakeTheirShareOfTheMemory) {
  Communicator<MpiSpace> group(MPI_COMM_WORLD);
  LlamaShape shape;
  shape.hidden_size = 64;
  shape.intermediate_size = 192;
  shape.num_heads = shape.num_key_value_heads = 2;
  shape.num_layers = 2;
  shape.vocab_size = 192;
  OptimizerOptions options;
  options.grass = false;
  const BatchShape batch{1, 6, true};
  const TrainingFixture whole(TrainingFixture::Space(), shape, batch, Recompute::none, options, group);
  options.shard = {group.rank(), group.size()};
  const TrainingFixture shared(TrainingFixture::Space(), shape, batch, Recompute::none, options, group);
  // Every extent is a multiple of 16 times 1, 2 and 4; of 3 ranks one has 16 more than a third or less.
  const std::size_t norms = 2 * sizeof(float) * 5 * 64;
  const std::size_t matrices = whole.arena().bytes(BlockKind::optimizer_state) - norms;
  const std::size_t part = shared.arena().bytes(BlockKind::optimizer_state) - norms;
  const auto ranks = static_cast<std::size_t>(group.size());
  if (ranks != 3) {
    EXPECT_EQ(part, matrices / ranks);
  }
  EXPECT_EQ(group.sum(static_cast<double>(part)), static_cast<double>(matrices));
  const std::size_t added = shared.arena().bytes(BlockKind::workspace) - whole.arena().bytes(BlockKind::workspace);
  // Of a layer the weights once: 4 and 3 matrices; in whole pieces.
  const auto pieces = [&](std::size_t extent) { return ((extent + ranks - 1) / ranks + 15) / 16 * 16 * ranks; };
  EXPECT_EQ(added, ranks > 1 ? sizeof(float) * (4 * pieces(64) * 64 + 2 * pieces(192) * 64 + pieces(64) * 192) : 0);
}

class SharedWeights : public ::testing::TestWithParam<TrainingRun> {};

/// The largest difference of two checkpoints' weights, of each parameter relative to its largest weight: 0.06 to 0.1 of
/// matrices, which an update changes by some 0.002.
double difference(const std::filesystem::path& one, const std::filesystem::path& other) {
  const auto expected = state_of(other);
  double result = 0.0;
  for (const auto& [name, values] : state_of(one)) {
    if (!name.starts_with("/weights/")) continue;
    double largest = 0.0, length = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(values[i] - expected.at(name)[i]));
      length = std::max(length, std::abs(values[i]));
    }
    EXPECT_GT(length, 0.0) << name;
    result = std::max(result, largest / length);
  }
  return result;
}

TEST_P(SharedWeights, TrainAsWholeOnesDoAndToTheSameBitsThroughAStop) {
  SharedFolder folder;
  if (folder.is_root()) write_token_file(folder / "short.h5", random_tokens(321, 32, 3), 32);
  MPI_Barrier(MPI_COMM_WORLD);
  // Some in one pass an update, where layers share the memory for gradients.
  const bool one_pass = GetParam().selection == "top-r" || GetParam().order == "sequential";
  const TrainingRun whole =
      with(large_enough(GetParam()), "batch.micro=" + std::to_string(one_pass ? 12 / folder.ranks() : 1));
  const TrainingRun shared = with(whole, "run.shard=weights");
  ASSERT_TRUE(folder.train(whole, "whole", "", 0));
  ASSERT_TRUE(folder.train(shared, "shared", "", 0));
  ASSERT_FALSE(folder.train(shared, "stopped", "", 6));
  ASSERT_TRUE(folder.train(shared, "stopped", "auto", 0));
  // What is in the file is that of ranks that have it all, and goes on in any way.
  ASSERT_FALSE(folder.train(shared, "mixed", "", 6));
  ASSERT_TRUE(folder.train(with(whole, "run.shard=states"), "mixed", "auto", 0));
  ASSERT_FALSE(folder.train(whole, "back", "", 6));
  ASSERT_TRUE(folder.train(shared, "back", "auto", 0));
  if (!folder.is_root()) return;
  EXPECT_EQ(state_of(folder.checkpoint(11, "stopped")), state_of(folder.checkpoint(11, "shared")));
  EXPECT_EQ(results(folder / "stopped"), results(folder / "shared"));
  const auto expected = results(folder / "whole");
  for (const char* output : {"shared", "mixed", "back"}) {
    const auto lines = results(folder / output);
    ASSERT_EQ(lines.size(), expected.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const char* const key = expected[i].contains("loss") ? "loss" : "validation_loss";
      EXPECT_NEAR(lines[i][key], expected[i][key], tolerance()) << output << ", line " << i + 1;
    }
    EXPECT_LE(difference(folder.checkpoint(11, output), folder.checkpoint(11, "whole")), tolerance()) << output;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Methods, SharedWeights,
    ::testing::Values(
        TrainingRun{"adamw", "norm", "shuffled"}, TrainingRun{"adamw", "norm", "shuffled", {"optimizer.state=int8"}},
        TrainingRun{"grass", "top-r", "shuffled"}, TrainingRun{"grass", "top-r", "sequential", {"optimizer.clip=0"}},
        TrainingRun{"grass", "norm", "shuffled", {"optimizer.weight_decay=0.1", "run.recompute=block"}},
        TrainingRun{"grass", "norm-replacement", "shuffled", {"run.recompute=attention"}},
        TrainingRun{
            "grass", "norm-squared-replacement", "shuffled", {"grass.side=columns", "model.tie_embeddings=true"}},
        TrainingRun{
            "grass", "uniform-replacement", "sequential", {"grass.side=rows", "grass.matrices=[\"mlp\", \"head\"]"}},
        TrainingRun{"grass", "norm", "shuffled", {"optimizer.state=int8", "grass.side=rows"}},
        TrainingRun{"grass", "norm", "shuffled", {"optimizer.state=bfloat16", "run.message=bfloat16"}},
        TrainingRun{"grass", "norm", "shuffled", {"precision.compute=bfloat16", "optimizer.state=bfloat16"}},
        TrainingRun{"adamw", "norm", "sequential", {"precision.compute=bfloat16", "model.intermediate_size=601"}}));

TEST(SharedWeightsInTheArena, TakeTheirShareOfTheMemory) {
  Communicator<MpiSpace> group(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(group.size());
  if (ranks == 1) GTEST_SKIP() << "one rank has all weights";
  LlamaShape shape;
  shape.hidden_size = 64;
  shape.intermediate_size = 192;
  shape.num_heads = shape.num_key_value_heads = 2;
  shape.num_layers = 5;
  shape.vocab_size = 192;
  OptimizerOptions options;
  options.grass_constants.rank = 16;
  options.shard = {group.rank(), group.size(), true};
  const TrainingFixture shared(TrainingFixture::Space(), shape, {1, 6, true}, Recompute::none, options, group);
  const auto share = [&](std::size_t extent) { return ((extent + ranks - 1) / ranks + 15) / 16 * 16; };
  const std::size_t matrices = 4 * share(64) + 3 * share(192);  // times 64 for weights, times 16 for sums of gradients
  const std::size_t layer = 64 * matrices + 2 * 64;
  const std::size_t outside = 2 * share(192) * 64 + 64;
  EXPECT_EQ(shared.arena().bytes(BlockKind::weight), sizeof(float) * (5 * layer + outside));
  // Of a layer's gradient the whole once, which is more than the head's.
  const std::size_t gradient = 16 * (4 * 64 + 3 * 192) + 2 * 64;
  EXPECT_EQ(shared.arena().bytes(BlockKind::gradient),
            sizeof(float) * (gradient + 5 * (16 * matrices + 2 * 64) + outside));
}

}  // namespace
}  // namespace Sward::Test
