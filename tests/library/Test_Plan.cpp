#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "Sward_InputError.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_Plan.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

// Every extent is a multiple of 64 floats, so that padding to 256 bytes shows only where it is written out.
constexpr std::size_t h = 64, f = 96, heads = 4, layers = 2, vocabulary = 128, rank = 16, length = 32, micro = 2;
constexpr std::size_t t = micro * length;
constexpr std::size_t one_block = 256;

Configuration small_configuration(bool grass) {
  Configuration configuration;
  configuration.shape = {h, f, heads, heads, layers, vocabulary, false, 1e-6, 10000.0};
  configuration.data.train = {{"train.h5"}};
  configuration.data.sequence_length = length;
  configuration.batch = {12, micro};
  configuration.optimizer.grass = grass;
  configuration.optimizer.grass_constants.rank = rank;
  return configuration;
}

Plan plan_of(const Configuration& configuration, int ranks = 1, std::optional<DataSize> data = {}) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  return plan_training(configuration, ranks, data, communicator);
}

std::map<std::string, std::size_t> by_kind(const std::vector<PlannedMemory>& memory) {
  std::map<std::string, std::size_t> bytes;
  for (const PlannedMemory& entry : memory) bytes[entry.kind] = entry.bytes;
  return bytes;
}

/// Elements of a block's seven matrices, of what Grass keeps of them, and of all that is not projected.
constexpr std::size_t matrices = 4 * h * h + 3 * h * f;
constexpr std::size_t selected = rank * (4 * h + 3 * f);
constexpr std::size_t dense = 2 * vocabulary * h + (2 * layers + 1) * h;

TEST(Plan, CountsWeightsStatesAndGradientsAsByHand) {
  const Plan grass = plan_of(small_configuration(true));
  EXPECT_EQ(grass.parameters, static_cast<std::int64_t>(layers * matrices + dense));
  auto arena = by_kind(grass.arena);
  EXPECT_EQ(arena["weights"], 4 * (layers * matrices + dense));
  EXPECT_EQ(arena["gradients"], 4 * (layers * selected + dense));
  // Of each projected matrix the 16 rows and their scales too, in a block each.
  EXPECT_EQ(arena["optimizer_states"], 2 * 4 * (layers * selected + dense) + layers * 7 * 2 * one_block);

  arena = by_kind(plan_of(small_configuration(false)).arena);
  EXPECT_EQ(arena["weights"], 4 * (layers * matrices + dense));
  EXPECT_EQ(arena["gradients"], 4 * (layers * matrices + dense));
  EXPECT_EQ(arena["optimizer_states"], 2 * 4 * (layers * matrices + dense));
}

TEST(Plan, CountsActivationsAtEachLevelAsByHand) {
  const std::size_t attention = t * (1 + h + 3 * h + h + heads);
  const std::size_t mlp = t * (1 + h + h + 2 * f + f);
  // Tokens, targets and first keys, the blocks' inputs and the last output, the final norm, all logits (fewer than a
  // slice), losses.
  const std::size_t always = t * (3 + (layers + 1) * h + 1 + h + vocabulary + 1);
  Configuration configuration = small_configuration(true);
  for (const auto& [level, name, elements] : std::vector<std::tuple<Recompute, std::string, std::size_t>>{
           {Recompute::none, "none", always + layers * (attention + mlp)},
           {Recompute::attention, "attention", always + attention + layers * mlp},
           {Recompute::block, "block", always + attention + mlp}}) {
    configuration.recompute = level;
    const Plan plan = plan_of(configuration);
    EXPECT_EQ(plan.recompute, name);
    EXPECT_EQ(by_kind(plan.arena)["activations"], 4 * elements) << name;
    EXPECT_EQ(by_kind(plan.activations)[name], 4 * elements);
  }
}

TEST(Plan, CountsTheWorkspaceAsByHand) {
  if (!runs_on_host<Kokkos::DefaultExecutionSpace>) GTEST_SKIP() << "sums of GPUs have more parts";
  const std::size_t tables = 2 * length * (h / heads / 2);
  const std::size_t gradients = t * (h + h + f + 3 * h + h + heads);
  const std::size_t squares = (2 + 9 * layers + 1) * sizeof(double);
  // Eight sums for each of up to 16 parameters of a message; where each token of the vocabulary stands in the batch.
  constexpr std::size_t partial_squares = 8 * 16 * sizeof(double);
  constexpr std::size_t positions = (4 * (vocabulary + 1 + 2 * t) + one_block - 1) / one_block * one_block;
  // The largest matrix and three gathered factors; norms and keys of 8 bytes for each of 64 rows, and a count.
  const std::size_t grass = 4 * (h * f + 3 * t * rank) + 2 * 8 * h + 4 * h;
  EXPECT_EQ(by_kind(plan_of(small_configuration(true)).arena)["workspace"],
            4 * (tables + gradients) + grass + one_block + partial_squares + positions)
      << squares;
  EXPECT_EQ(by_kind(plan_of(small_configuration(false)).arena)["workspace"],
            4 * (tables + gradients) + one_block + partial_squares + positions);
  EXPECT_LE(squares, one_block);
}

TEST(Plan, CountsProductsIn8BitsAsByHand) {
  // The intermediate size in whole units of 64; codes of a factor and of a transposed weight, and floats: scales of
  // tokens, of the outputs of all linears, of a transpose.
  constexpr std::size_t width = (f + 63) / 64 * 64;
  const auto blocks = [](std::size_t bytes) { return (bytes + one_block - 1) / one_block * one_block; };
  const std::size_t widest = std::max(2 * width, 3 * h);
  const std::size_t workspace = blocks(t * widest) + blocks(4 * t) + blocks(h * widest) +
                                blocks(4 * std::max(width, h)) +
                                layers * (blocks(4 * 3 * h) + blocks(4 * 2 * width) + 2 * blocks(4 * h));
  const std::size_t codes = layers * (blocks(3 * h * h) + blocks(h * h) + blocks(2 * width * h) + blocks(h * width));
  for (const auto recompute : {Recompute::none, Recompute::attention, Recompute::block}) {
    const bool keeps_codes = recompute == Recompute::none;
    Configuration configuration = small_configuration(true);
    configuration.recompute = recompute;
    configuration.precision = Precision::bfloat16;
    auto stored = by_kind(plan_of(configuration).arena);
    configuration.precision = Precision::float8;
    auto in_8_bits = by_kind(plan_of(configuration).arena);
    for (const std::string kind : {"weights", "optimizer_states", "gradients"})
      EXPECT_EQ(in_8_bits[kind], stored[kind]) << kind;
    EXPECT_EQ(in_8_bits["activations"] - stored["activations"], keeps_codes ? codes : 0);
    // Where codes are not kept, those of one weight at a time.
    EXPECT_EQ(in_8_bits["workspace"] - stored["workspace"], workspace + (keeps_codes ? 0 : blocks(h * widest)));
  }
}

TEST(Plan, CountsMessagesByLayerAsByHand) {
  const Plan plan = plan_of(small_configuration(true));
  ASSERT_EQ(plan.messages.size(), layers + 2);
  const auto expect = [&](std::size_t i, const std::string& layer, std::size_t regular, std::size_t refresh) {
    EXPECT_EQ(plan.messages[i].layer, layer);
    EXPECT_EQ(plan.messages[i].regular, 4 * regular) << layer;
    EXPECT_EQ(plan.messages[i].refresh, 4 * refresh) << layer;
  };
  expect(0, "embedding", vocabulary * h, vocabulary * h);
  for (const std::size_t layer : {0, 1})
    expect(1 + layer, "layer " + std::to_string(layer), selected + 2 * h, selected + 2 * h + matrices);
  expect(layers + 1, "head", vocabulary * h + h, vocabulary * h + h);
  EXPECT_EQ(plan.message.regular, 4 * (layers * selected + dense));
  EXPECT_EQ(plan.message.refresh, 4 * (layers * (selected + matrices) + dense));
}

TEST(Plan, CountsWhatLiesOutsideTheArena) {
  Configuration configuration = small_configuration(true);
  auto outside = by_kind(plan_of(configuration, 1, DataSize{31, 1000}).outside);
  // Six passes of two sequences, those of the next update, and one as it is read.
  EXPECT_EQ(outside["token_batch"], 4 * (2 * 6 * 2 + 1) * t);
  EXPECT_EQ(outside["sequence_order"], 4 * 31);
  EXPECT_EQ(outside["token_file_caches"], 1000U);
  EXPECT_EQ(outside.count("message_copy"), 0U);
  EXPECT_GT(outside["program_and_libraries"], std::size_t{1} << 20);
  EXPECT_EQ(by_kind(plan_of(configuration, 1, DataSize{}).outside)["sequence_order"], 0U);

  configuration.data.validation = "validation.h5";
  configuration.data.document_attention = true;
  outside = by_kind(plan_of(configuration, 2).outside);
  EXPECT_EQ(outside["token_batch"], 4 * (2 * 3 * 3 + 1) * t);
  EXPECT_EQ(outside.count("sequence_order"), 0U);
  EXPECT_EQ(outside["token_file_caches"], std::size_t{2} << 20);
  // Of a block, which is more than the head.
  EXPECT_EQ(outside["message_copy"], 4 * (selected + 2 * h));

  configuration.data.order = SequenceOrder::sequential;
  EXPECT_EQ(by_kind(plan_of(configuration, 1, DataSize{31, 1000}).outside).count("sequence_order"), 0U);
}

TEST(Plan, CountsStatesThatRanksShareAsByHand) {
  Configuration configuration = small_configuration(true);
  const Plan whole = plan_of(configuration, 3);
  configuration.sharing = Sharing::states;
  const Plan shared = plan_of(configuration, 3);
  // A rank has 32 of 64 rows or columns, 32 of 96, and 48 of 128; the last one less. Norms are whole.
  constexpr std::size_t part = rank * (4 * 32 + 3 * 32), part_of_dense = 2 * 48 * h + (2 * layers + 1) * h;
  auto arena = by_kind(shared.arena);
  EXPECT_EQ(arena["optimizer_states"], 2 * 4 * (layers * part + part_of_dense) + layers * 7 * 2 * one_block);
  EXPECT_EQ(arena["weights"], by_kind(whole.arena)["weights"]);
  EXPECT_EQ(arena["gradients"], by_kind(whole.arena)["gradients"]);
  // The pieces of three ranks, of which a block's are the largest.
  static_assert(part > 48 * h);
  EXPECT_EQ(arena["workspace"], by_kind(whole.arena)["workspace"] + 3 * 4 * part);
  EXPECT_EQ(shared.message.regular, whole.message.regular + 4 * (layers * part + 2 * 48 * h));
  EXPECT_EQ(shared.message.refresh, whole.message.refresh + 4 * (layers * part + 2 * 48 * h));
  // Rank 0 takes a state of the head together when no message is under way, the largest of which is of a block's
  // pieces.
  EXPECT_EQ(by_kind(shared.outside)["message_copy"], 3 * 4 * part);
  EXPECT_EQ(by_kind(shared.outside)["gathered_state"], 4 * (3 + 1) * 48 * h - 3 * 4 * part);
  EXPECT_EQ(by_kind(whole.outside).count("gathered_state"), 0U);
  EXPECT_EQ(shared.checkpoint_bytes, whole.checkpoint_bytes);
  EXPECT_EQ(plan_of(configuration, 1).arena_bytes(), plan_of(small_configuration(true), 1).arena_bytes());
}

TEST(Plan, CountsWeightsThatRanksShareAsByHand) {
  Configuration configuration = small_configuration(true);
  configuration.batch = {6, micro};  // one pass on each of three ranks
  const auto whole = by_kind(plan_of(configuration, 3).arena);
  configuration.sharing = Sharing::weights;
  const Plan shared = plan_of(configuration, 3);
  auto arena = by_kind(shared.arena);
  // Shares as those of states; norms are the first rank's, and have their place in all pieces.
  constexpr std::size_t part = 4 * 32 + 3 * 32;  // times h of weights, times the rank of gradients
  constexpr std::size_t layer = part * h + 2 * h, layer_sum = part * rank + 2 * h;
  constexpr std::size_t embedding = 48 * h, head = 48 * h + h;
  EXPECT_EQ(arena["weights"], 4 * (layers * layer + embedding + head));
  // A layer's gradient is more than the head's, and all have the memory of one.
  constexpr std::size_t gradient = std::max(selected + 2 * h, vocabulary * h + h);
  EXPECT_EQ(arena["gradients"], 4 * (gradient + layers * layer_sum + embedding + head));
  // Places of a layer and of the head, each stack in a multiple of 128 elements; the pieces of three ranks of both.
  constexpr std::size_t places = matrices + 4 * h + vocabulary * h + 2 * h;
  constexpr std::size_t pieces = 3 * layer + 3 * std::max(layer_sum, head);
  EXPECT_EQ(arena["workspace"], whole.at("workspace") + 4 * (places + pieces));
  // Sums of the pieces of all ranks; weights of both layers come together once, of embedding and head too, and those of
  // the first layer once more.
  const std::size_t regular = 3 * (layers * layer_sum + embedding + head) + 3 * layer + embedding + head;
  EXPECT_EQ(shared.message.regular, 4 * regular);
  EXPECT_EQ(shared.message.refresh, 4 * (regular + layers * matrices));
  EXPECT_EQ(plan_of(configuration, 1).arena_bytes(), [&] {
    configuration.sharing = Sharing::none;
    return plan_of(configuration, 1).arena_bytes();
  }());
}

TEST(Plan, TotalsAreSums) {
  const Plan plan = plan_of(small_configuration(true), 2, DataSize{1001, 1000});
  std::size_t arena = 0;
  for (const PlannedMemory& entry : plan.arena) arena += entry.bytes;
  std::size_t outside = 0;
  for (const PlannedMemory& entry : plan.outside) outside += entry.bytes;
  EXPECT_EQ(plan.arena_bytes(), arena);
  EXPECT_EQ(plan.total_bytes(), arena + outside);
}

TEST(Plan, JsonHoldsWhatTheTableShows) {
  const Plan plan = plan_of(small_configuration(true), 3);
  const auto json = nlohmann::json::parse(plan_json(plan));
  EXPECT_EQ(json["ranks"], 3);
  EXPECT_EQ(json["parameters"], plan.parameters);
  EXPECT_EQ(json["arena"]["weights"], 4 * (layers * matrices + dense));
  EXPECT_EQ(json["arena_bytes"], plan.arena_bytes());
  EXPECT_EQ(json["total_bytes"], plan.total_bytes());
  EXPECT_EQ(json["activations"].size(), 3U);
  EXPECT_EQ(json["messages"][1]["layer"], "layer 0");
  EXPECT_EQ(json["messages"][1]["refresh"], 4 * (selected + 2 * h + matrices));
  EXPECT_EQ(json["message_bytes"]["regular"], plan.message.regular);
  const std::string text = plan_text(plan);
  for (const char* row : {"memory on each of 3 ranks", "optimizer states", "layer 0 to 1, each", "are not there yet"})
    EXPECT_THAT(text, testing::HasSubstr(row));
  EXPECT_THAT(plan_text(plan_of(small_configuration(true), 3, DataSize{1001, 1000})),
              testing::Not(testing::HasSubstr("there yet")));
}

TEST(Plan, RefusesUpdatesThatAreNoWholeNumberOfPasses) {
  const Configuration configuration = small_configuration(true);
  for (const int ranks : {1, 2, 3, 6}) EXPECT_NO_THROW(check_batch(configuration, ranks)) << ranks;
  for (const int ranks : {4, 5, 12})
    EXPECT_EQ(message_of<InputError>([&] { check_batch(configuration, ranks); }),
              "key 'batch.sequences' is 12; it must be a multiple of ranks x batch.micro = " + std::to_string(ranks) +
                  " x 2");
  Configuration huge = configuration;
  huge.batch.micro = std::int64_t{1} << 62;
  EXPECT_THROW(check_batch(huge, 4), InputError);
}

}  // namespace
}  // namespace Sward::Test
