#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "Sward_CheckpointFile.hpp"
#include "Sward_Configuration.hpp"
#include "Sward_ConfigurationText.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using testing::ThrowsMessage;

TEST(Configuration, reads_every_key) {
  const Configuration c = read_text(R"(
[model]
hidden_size = 48
intermediate_size = 100
num_heads = 4
num_key_value_heads = 2
num_layers = 3
vocab_size = 97
tie_embeddings = true
rms_norm_eps = 1e-5
rope_theta = 500000.0
rope_scaling = "none"
[data]
train = "some/train.h5"
validation = "validation.h5"
sequence_length = 24
order = "sequential"
attention = "document"
[batch]
sequences = 12
micro = 3
[optimizer]
method = "grass"
learning_rate = 0.003
betas = [0.8, 0.95]
epsilon = 1e-7
weight_decay = 0.1
clip = 1.5
nonfinite = "stop"
state = "float"
[grass]
rank = 5
selection = "norm-squared-replacement"
refresh_interval = 7
scale = 0.5
refresh_warmup = 3
side = "columns"
matrices = ["head", "attention"]
[schedule]
steps = 1000
warmup_steps = 10
shape = "constant"
final_fraction = 0.2
[precision]
compute = "float"
weights = "float"
rounding = "nearest"
[output]
directory = "out"
checkpoint_interval = 50
evaluation_interval = 20
keep = 4
[run]
seed = 42
recompute = "block"
communication = "mpi"
timeout_seconds = 30
shard = "states"
message = "float"
embedding_message = "dense"
deterministic = true
)");
  EXPECT_EQ(c.shape, (LlamaShape{48, 100, 4, 2, 3, 97, true, 1e-5, 500000.0}));
  EXPECT_TRUE(c.initial.empty());
  ASSERT_EQ(c.data.train.size(), 1U);
  EXPECT_EQ(c.data.train[0].path, "some/train.h5");
  EXPECT_TRUE(c.data.document_attention);
  EXPECT_EQ(c.data.validation, "validation.h5");
  EXPECT_EQ(c.data.sequence_length, 24);
  EXPECT_EQ(c.data.order, SequenceOrder::sequential);
  EXPECT_EQ(c.batch.sequences, 12);
  EXPECT_EQ(c.batch.micro, 3);
  EXPECT_EQ(c.learning_rate, 0.003);
  const OptimizerOptions& o = c.optimizer;
  EXPECT_TRUE(o.grass);
  EXPECT_EQ(o.adam.beta1, 0.8);
  EXPECT_EQ(o.adam.beta2, 0.95);
  EXPECT_EQ(o.adam.epsilon, 1e-7);
  EXPECT_EQ(o.adam.weight_decay, 0.1);
  EXPECT_EQ(o.clip, 1.5);
  EXPECT_THAT(o.projected, ElementsAre(ParameterKind::head, ParameterKind::attention));
  EXPECT_EQ(o.grass_constants.rank, 5);
  EXPECT_EQ(o.grass_constants.selection, Selection::norm_squared_replacement);
  EXPECT_EQ(o.grass_constants.refresh_interval, 7);
  EXPECT_EQ(o.grass_constants.scale, 0.5);
  EXPECT_EQ(o.grass_constants.refresh_warmup, 3);
  EXPECT_EQ(o.grass_constants.side, GrassConstants::SideRule::columns);
  EXPECT_EQ(o.grass_constants.seed, 42U);
  EXPECT_EQ(c.schedule.steps, 1000);
  EXPECT_EQ(c.schedule.warmup_steps, 10);
  EXPECT_EQ(c.schedule.shape, ScheduleOptions::Shape::constant);
  EXPECT_EQ(c.schedule.final_fraction, 0.2);
  EXPECT_EQ(c.output.directory, "out");
  EXPECT_EQ(c.output.checkpoint_interval, 50);
  EXPECT_EQ(c.output.evaluation_interval, 20);
  EXPECT_EQ(c.output.keep, 4);
  EXPECT_EQ(c.seed, 42U);
  EXPECT_EQ(c.recompute, Recompute::block);
  EXPECT_EQ(c.sharing, Sharing::states);
}

TEST(Configuration, shares_states_and_weights_where_asked_to) {
  ConfigurationText text;
  EXPECT_EQ(read_text(text.text()).sharing, Sharing::none);
  text.set("run.shard", "'weights'");
  EXPECT_EQ(read_text(text.text()).sharing, Sharing::weights);
  text.set("run.embedding_message", "'rows'");
  EXPECT_THAT([&] { read_text(text.text()); },
              ThrowsMessage<InputError>(HasSubstr("key 'run.embedding_message' is \"rows\", which run.shard")));
  text.set("run.shard", "'all'");
  EXPECT_THAT(
      [&] { read_text(text.text()); },
      ThrowsMessage<InputError>(HasSubstr("key 'run.shard' is \"all\"; allowed: \"none\", \"states\", \"weights\"")));
}

TEST(Configuration, stores_bfloat16_where_products_are_in_8_bits) {
  ConfigurationText text;
  text.set("precision.compute", "'float8'");
  EXPECT_EQ(read_text(text.text()).precision, Precision::float8);
  text.set("precision.weights", "'bfloat16'");
  EXPECT_EQ(read_text(text.text()).precision, Precision::float8);
  text.set("precision.weights", "'float'");
  EXPECT_THAT([&] { read_text(text.text()); },
              ThrowsMessage<InputError>(HasSubstr("key 'precision.weights' is \"float\"; allowed: \"bfloat16\"")));
}

TEST(Configuration, has_the_documented_defaults) {
  const Configuration c = read_text(ConfigurationText().text());
  EXPECT_EQ(c.shape, (LlamaShape{48, 100, 4, 4, 2, 97, false, 1e-6, 10000.0}));
  EXPECT_TRUE(c.data.validation.empty());
  EXPECT_EQ(c.data.order, SequenceOrder::shuffled);
  EXPECT_FALSE(c.data.document_attention);
  const OptimizerOptions& o = c.optimizer;
  EXPECT_TRUE(o.grass);
  EXPECT_EQ(o.adam.beta1, 0.9);
  EXPECT_EQ(o.adam.beta2, 0.999);
  EXPECT_EQ(o.adam.epsilon, 1e-8);
  EXPECT_EQ(o.adam.weight_decay, 0.0);
  EXPECT_EQ(o.clip, 0.0);
  EXPECT_THAT(o.projected, ElementsAre(ParameterKind::attention, ParameterKind::mlp));
  EXPECT_EQ(o.grass_constants.selection, Selection::norm);
  EXPECT_EQ(o.grass_constants.refresh_interval, 200);
  EXPECT_EQ(o.grass_constants.scale, 0.25);
  EXPECT_EQ(o.grass_constants.refresh_warmup, 20);
  EXPECT_FALSE(o.grass_constants.keep_moments);
  EXPECT_EQ(o.grass_constants.side, GrassConstants::SideRule::smaller);
  EXPECT_EQ(c.schedule.warmup_steps, 0);
  EXPECT_EQ(c.schedule.shape, ScheduleOptions::Shape::cosine);
  EXPECT_EQ(c.schedule.final_fraction, 0.1);
  EXPECT_EQ(c.output.checkpoint_interval, 0);
  EXPECT_EQ(c.output.evaluation_interval, 0);
  EXPECT_EQ(c.output.keep, 2);
  EXPECT_EQ(c.seed, 0U);
  EXPECT_EQ(c.recompute, Recompute::none);
}

TEST(Configuration, takes_integers_for_floats_and_no_rank_for_adamw) {
  ConfigurationText text;
  text.set("optimizer.learning_rate", "1").set("optimizer.betas", "[0, 0.5]").set("optimizer.method", "'adamw'");
  const Configuration c = read_text(text.set("grass.rank", {}).text());
  EXPECT_EQ(c.learning_rate, 1.0);
  EXPECT_EQ(c.optimizer.adam.beta1, 0.0);
  EXPECT_EQ(c.optimizer.adam.beta2, 0.5);
  EXPECT_FALSE(c.optimizer.grass);
}

TEST(Configuration, knows_every_selection) {
  const std::vector<std::pair<std::string, Selection>> selections{
      {"top-r", Selection::top_r},
      {"norm", Selection::norm},
      {"norm-squared", Selection::norm_squared},
      {"uniform", Selection::uniform},
      {"norm-replacement", Selection::norm_replacement},
      {"norm-squared-replacement", Selection::norm_squared_replacement},
      {"uniform-replacement", Selection::uniform_replacement}};
  for (const auto& [name, selection] : selections)
    EXPECT_EQ(read_text(ConfigurationText().set("grass.selection", "'" + name + "'").text())
                  .optimizer.grass_constants.selection,
              selection);
}

TEST(Configuration, keeps_moments_where_it_can) {
  const auto text = [] { return ConfigurationText().set("grass.keep_moments", "true"); };
  EXPECT_TRUE(read_text(text().text()).optimizer.grass_constants.keep_moments);
  EXPECT_TRUE(read_text(text().set("optimizer.state", "'bfloat16'").text()).optimizer.grass_constants.keep_moments);
  EXPECT_THAT(error_of(text().set("optimizer.state", "'int8'").text()),
              HasSubstr("'grass.keep_moments' is for moments that are kept in float or bfloat16"));
  EXPECT_THAT(error_of(text().set("grass.selection", "'uniform-replacement'").text()),
              HasSubstr("'grass.keep_moments' is for selections without replacement"));
}

TEST(Configuration, mixes_files_by_weight) {
  ConfigurationText text;
  const std::string tables = text.set("data.train", {}).text() + "[[data.train]]\npath = 'a.h5'\nweight = 0.75\n" +
                             "[[data.train]]\nweight = 2\npath = 'b.h5'\n";
  text.set("data.train", "[{path = 'a.h5', weight = 0.75}, {path = 'b.h5', weight = 2}]");
  const std::string setting = "data.train=[{path='a.h5', weight=0.75}, {path='b.h5', weight=2}]";
  for (const Configuration& c : {read_text(text.text()), read_text(tables), read_text(read_text(tables).text),
                                 read_text(ConfigurationText().text(), {setting})}) {
    ASSERT_EQ(c.data.train.size(), 2U);
    EXPECT_EQ(c.data.train[0].path, "a.h5");
    EXPECT_EQ(c.data.train[0].weight, 0.75);
    EXPECT_EQ(c.data.train[1].path, "b.h5");
    EXPECT_EQ(c.data.train[1].weight, 2.0);
  }
}

TEST(Configuration, reads_the_scaling_of_positions) {
  const auto scaling_of = [](const std::string& value, const std::vector<std::string>& settings = {}) {
    return read_text(ConfigurationText().set("model.rope_scaling", value).text(), settings).shape.rope_scaling;
  };
  using Kind = RotaryScaling::Kind;
  const std::string llama3 =
      "{rope_type = 'llama3', factor = 8, low_freq_factor = 0.5, high_freq_factor = 4.0, "
      "original_max_position_embeddings = 8192}";
  EXPECT_EQ(scaling_of("'none'"), RotaryScaling{});
  EXPECT_EQ(scaling_of("{rope_type = 'default'}"), RotaryScaling{});
  EXPECT_EQ(scaling_of("{rope_type = 'linear', factor = 2.5}"), (RotaryScaling{Kind::linear, 2.5}));
  EXPECT_EQ(scaling_of("{type = 'linear', factor = 2}"), (RotaryScaling{Kind::linear, 2}));
  EXPECT_EQ(scaling_of(llama3), (RotaryScaling{Kind::llama3, 8, 0.5, 4, 8192}));
  EXPECT_EQ(scaling_of("'none'", {"model.rope_scaling=" + llama3}), (RotaryScaling{Kind::llama3, 8, 0.5, 4, 8192}));
  EXPECT_EQ(scaling_of(llama3, {"model.rope_scaling=none"}), RotaryScaling{});
  // The text of a checkpoint reads as the same again.
  const Configuration c = read_text(ConfigurationText().set("model.rope_scaling", llama3).text());
  EXPECT_EQ(read_text(c.text).shape, c.shape);
}

TEST(Configuration, names_a_scaling_that_disagrees_with_initial) {
  ConfigurationText text;
  text["model"] = {{"initial", "'" + reference_folder("linear").string() + "'"}};
  const LlamaShape shape = read_text(text.text()).shape;
  EXPECT_EQ(shape.rope_scaling, (RotaryScaling{RotaryScaling::Kind::linear, 4}));
  text.set("model.rope_scaling", "{rope_type = 'linear', factor = 4}");
  EXPECT_EQ(read_text(text.text()).shape, shape);
  text.set("model.rope_scaling", "'none'");
  EXPECT_EQ(error_of(text.text()), "run.toml:" + text.line_of("model.rope_scaling") +
                                       ": key 'model.rope_scaling' is none, but 'model.initial' has "
                                       "{rope_type = \"linear\", factor = 4}");
}

TEST(Configuration, its_text_reads_as_the_same_configuration) {
  const Configuration first = read_text(ConfigurationText().text(), {"run.seed=5", "grass.selection=uniform"});
  const Configuration second = read_text(first.text);
  EXPECT_EQ(second.text, first.text);
  EXPECT_EQ(second.seed, 5U);
  EXPECT_EQ(second.optimizer.grass_constants.selection, Selection::uniform);
}

TEST(Configuration, takes_shape_and_names_disagreement_from_initial) {
  const std::string golden = golden_folder("tiny-adamw").string();
  ConfigurationText text;
  text["model"] = {{"initial", "'" + golden + "'"}};
  EXPECT_EQ(read_text(text.text()).shape, (LlamaShape{48, 100, 4, 4, 2, 97, false, 1e-6, 10000.0}));
  EXPECT_EQ(read_text(text.text()).initial, golden);
  text.set("model.hidden_size", "48");
  EXPECT_EQ(read_text(text.text()).shape.hidden_size, 48);
  text.set("model.num_layers", "3");
  EXPECT_EQ(error_of(text.text()), "run.toml:" + text.line_of("model.num_layers") +
                                       ": key 'model.num_layers' is 3, but 'model.initial' has 2");
  text.set("model.num_layers", {}).set("model.preset", "'llama-60m'");
  EXPECT_THAT(error_of(text.text()), HasSubstr(text.line_of("model.preset") + ": key 'model.preset' cannot stand"));
  text.set("model.preset", {}).set("model.initial", "'no/such/folder'");
  EXPECT_THAT(error_of(text.text()), HasSubstr("no/such/folder"));
}

TEST(Configuration, takes_the_shape_of_a_checkpoint_where_the_file_has_none) {
  const TemporaryFolder folder;
  CheckpointHeader header;
  header.shape = {16, 24, 2, 1, 3, 11, true, 1e-5, 5000.0};
  Hdf5File checkpoint = create_checkpoint(folder / "a.h5", header);
  checkpoint.create_group("/weights");
  checkpoint.close();
  ConfigurationText text;
  text["model"].clear();
  write_file(folder / "run.toml", text.text());
  EXPECT_EQ(read_configuration(folder / "run.toml", {}, folder / "a.h5").shape, header.shape);
  EXPECT_THROW(read_configuration(folder / "run.toml"), InputError);
}

/// Hidden, intermediate, heads, layers of the published sizes.
const std::map<std::string, std::vector<std::int64_t>> published{
    {"60m", {512, 1376, 8, 8}},    {"130m", {768, 2048, 12, 12}}, {"350m", {1024, 2736, 16, 24}},
    {"1b", {2048, 5461, 32, 24}},  {"7b", {4096, 11008, 32, 32}}, {"13b", {5120, 13824, 40, 40}},
    {"65b", {8192, 22016, 64, 80}}};

LlamaShape published_shape(const std::string& name) {
  const std::vector<std::int64_t>& s = published.at(name);
  return {s[0], s[1], s[2], s[2], s[3], 32000, false, 1e-6, 10000.0};
}

TEST(Configuration, presets_have_the_published_shapes) {
  for (const auto& entry : published) {
    EXPECT_EQ(preset_shape(entry.first), published_shape(entry.first));
    EXPECT_EQ(preset_shape("llama-" + entry.first), published_shape(entry.first));
  }
  for (const char* name : {"", "2b", "llama-", "llama-60", "LLAMA-60M"})
    EXPECT_THROW(preset_shape(name), std::out_of_range) << name;
}

TEST(Configuration, key_value_heads_follow_the_heads_beside_a_preset) {
  const TemporaryFolder folder;
  ConfigurationText text;
  text["model"] = {{"preset", "'llama-60m'"}, {"num_heads", "16"}};
  write_file(folder / "train.toml", text.text());
  const Configuration c = read_configuration(folder / "train.toml");
  EXPECT_EQ(c.shape.num_heads, 16);
  EXPECT_EQ(c.shape.num_key_value_heads, 16);
}

TEST(Configuration, every_example_reads_and_is_what_its_name_says) {
  std::size_t presets = 0;
  bool quickstart = false;
  const auto examples = std::filesystem::path(SWARD_TEST_DATA_DIR) / "../../drivers/examples";
  for (const auto& entry : std::filesystem::directory_iterator(examples)) {
    if (entry.path().extension() != ".toml") continue;
    const std::string name = entry.path().stem().string();
    // The model that is fine-tuned is made by the quickstart; here another stands in for it.
    const std::vector<std::string> settings =
        name == "finetune" ? std::vector<std::string>{"model.initial=" + golden_folder("tiny-adamw").string()}
                           : std::vector<std::string>{};
    const Configuration c = read_configuration(entry.path(), settings);
    EXPECT_EQ(c.batch.sequences % c.batch.micro, 0) << name;
    EXPECT_LT(c.schedule.warmup_steps, c.schedule.steps) << name;
    if (name == "quickstart") {
      quickstart = true;
      EXPECT_EQ(c.shape, (LlamaShape{256, 688, 4, 4, 4, 258, false, 1e-6, 10000.0}));
      continue;
    }
    if (name == "finetune") {
      EXPECT_TRUE(c.data.document_attention);
      continue;
    }
    ASSERT_THAT(name, StartsWith("llama-"));
    EXPECT_EQ(c.shape, published_shape(name.substr(6))) << name;
    EXPECT_EQ(c.data.sequence_length, 256) << name;
    EXPECT_EQ(c.batch.sequences, 512) << name;
    ++presets;
  }
  EXPECT_TRUE(quickstart);
  EXPECT_EQ(presets, published.size());
}

}  // namespace
}  // namespace Sward::Test
