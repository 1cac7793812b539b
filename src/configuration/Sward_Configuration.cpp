#include "Sward_Configuration.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>

#include "Sward_ConfigurationTable.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TrainingState.hpp"

namespace Sward {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double longest_timeout_seconds = 1e6;

/// Keys whose only value so far is their default; another value is an error that says so.
void require_default(ConfigurationTable& table, const std::string& key, const std::string& value) {
  table.choice<int>(key, {{value, 0}}, value);
}

/// "none", or a table with the keys of config.json.
RotaryScaling read_rope_scaling(ConfigurationTable& table, const RotaryScaling& otherwise) {
  using Kind = RotaryScaling::Kind;
  const std::string key = "model.rope_scaling";
  RotaryScaling scaling;
  if (!table.is_table(key)) {
    if (!table.has(key)) return otherwise;
    if (!table.is_word(key, "none")) table.fail(key, "must be \"none\" or a table {rope_type = ..., factor = ...}");
    return scaling;
  }
  const std::string type = table.has(key + ".type") ? key + ".type" : key + ".rope_type";
  table.text(type);  // it is required
  // The kind without it is the one that asks for all keys, so that none of them is unknown.
  scaling.kind =
      table.choice<Kind>(type, {{"default", Kind::none}, {"linear", Kind::linear}, {"llama3", Kind::llama3}}, "llama3");
  if (scaling.kind == Kind::none) return scaling;
  scaling.factor = table.number(key + ".factor", 1.0, infinity);
  if (scaling.kind == Kind::linear) return scaling;
  scaling.low_freq_factor = table.number(key + ".low_freq_factor", 0.0, infinity);
  scaling.high_freq_factor = table.number(key + ".high_freq_factor", 0.0, infinity);
  scaling.original_max_position_embeddings = table.integer(key + ".original_max_position_embeddings", 1);
  return scaling;
}

void read_shape_keys(ConfigurationTable& table, LlamaShape& shape) {
  shape.hidden_size = table.integer("model.hidden_size", 1, shape.hidden_size);
  shape.intermediate_size = table.integer("model.intermediate_size", 1, shape.intermediate_size);
  shape.num_heads = table.integer("model.num_heads", 1, shape.num_heads);
  shape.num_key_value_heads = table.integer(
      "model.num_key_value_heads", 1, shape.num_key_value_heads == 0 ? shape.num_heads : shape.num_key_value_heads);
  shape.num_layers = table.integer("model.num_layers", 1, shape.num_layers);
  shape.vocab_size = table.integer("model.vocab_size", 1, shape.vocab_size);
  shape.tie_embeddings = table.boolean("model.tie_embeddings", shape.tie_embeddings);
  shape.rms_norm_eps = table.number("model.rms_norm_eps", 0.0, 1.0, shape.rms_norm_eps);
  shape.rope_theta = table.number("model.rope_theta", 1.0, infinity, shape.rope_theta);
  shape.rope_scaling = read_rope_scaling(table, shape.rope_scaling);
}

LlamaShape starting_shape(ConfigurationTable& table, const std::filesystem::path& initial,
                          const std::filesystem::path& checkpoint) {
  if (!initial.empty()) {
    if (table.has("model.preset")) table.fail("model.preset", "cannot stand beside 'model.initial', which has a shape");
    return read_initial_shape(initial);
  }
  if (!table.has("model.preset")) return checkpoint.empty() ? LlamaShape{} : read_initial_shape(checkpoint);
  const std::string name = table.text("model.preset");
  try {
    LlamaShape shape = preset_shape(name);
    shape.num_key_value_heads = 0;  // as many as num_heads, which may stand beside the preset
    return shape;
  } catch (const std::out_of_range&) {
    table.fail("model.preset", "is \"" + name +
                                   "\"; allowed: llama-60m, llama-130m, llama-350m, llama-1b, llama-7b, "
                                   "llama-13b, llama-65b");
  }
}

/// Throws for the first key of [model] that gives the model of `initial` another shape than it has.
void require_shape_of_initial(const ConfigurationTable& table, const LlamaShape& found, const LlamaShape& wanted) {
  if (const auto difference = first_difference(found, wanted))
    table.fail("model." + difference->member,
               "is " + difference->first + ", but 'model.initial' has " + difference->second);
}

void read_model(ConfigurationTable& table, const std::filesystem::path& checkpoint, Configuration& configuration) {
  configuration.initial = table.text("model.initial", "");
  const LlamaShape start = starting_shape(table, configuration.initial, checkpoint);
  LlamaShape shape = start;
  table.text("model.preset", "");
  read_shape_keys(table, shape);
  table.check_keys();  // before what follows from keys that may be misspelt
  if (!configuration.initial.empty()) require_shape_of_initial(table, shape, start);
  for (const auto& [key, value] :
       std::map<std::string, std::int64_t>{{"model.hidden_size", shape.hidden_size},
                                           {"model.intermediate_size", shape.intermediate_size},
                                           {"model.num_heads", shape.num_heads},
                                           {"model.num_layers", shape.num_layers},
                                           {"model.vocab_size", shape.vocab_size}})
    if (value == 0) table.fail(key, "is missing, and neither 'model.preset' nor 'model.initial' gives it");
  check(shape, table.place("model") + ": [model]");
  configuration.shape = shape;
}

std::vector<TrainingFile> read_training_files(ConfigurationTable& table) {
  std::vector<TrainingFile> files;
  std::vector<double> weights;
  for (const auto& [path, weight] : table.weighted_paths("data.train", 1e-6, 1e9)) {
    files.push_back({path, weight});
    weights.push_back(weight);
  }
  try {
    const MixtureSchedule schedule(weights);
  } catch (const std::invalid_argument& error) {
    table.fail("data.train", error.what());
  }
  return files;
}

void read_data(ConfigurationTable& table, Configuration& configuration) {
  configuration.data.train = read_training_files(table);
  configuration.data.validation = table.text("data.validation", "");
  configuration.data.sequence_length = table.integer("data.sequence_length", 1);
  configuration.data.order = table.choice<SequenceOrder>(
      "data.order", {{"shuffled", SequenceOrder::shuffled}, {"sequential", SequenceOrder::sequential}}, "shuffled");
  configuration.data.document_attention =
      table.choice<bool>("data.attention", {{"sequence", false}, {"document", true}}, "sequence");
  configuration.batch.sequences = table.integer("batch.sequences", 1);
  configuration.batch.micro = table.integer("batch.micro", 1);
  constexpr std::int64_t most_tokens = std::numeric_limits<int>::max();
  if (configuration.batch.micro > most_tokens / configuration.data.sequence_length)
    table.fail("batch.micro", "times 'data.sequence_length' is more than " + std::to_string(most_tokens) +
                                  ", the most tokens of one pass");
}

void read_optimizer(ConfigurationTable& table, Configuration& configuration) {
  OptimizerOptions& optimizer = configuration.optimizer;
  optimizer.grass = table.choice<bool>("optimizer.method", {{"grass", true}, {"adamw", false}}, "grass");
  configuration.learning_rate = table.number("optimizer.learning_rate", 0.0, infinity);
  const std::vector<double> betas = table.numbers("optimizer.betas", 0.0, 1.0, {0.9, 0.999});
  if (betas[0] >= 1.0 || betas[1] >= 1.0) table.fail("optimizer.betas", "must be below 1");
  optimizer.adam.beta1 = betas[0];
  optimizer.adam.beta2 = betas[1];
  optimizer.adam.epsilon = table.number("optimizer.epsilon", std::numeric_limits<float>::min(), infinity, 1e-8);
  optimizer.adam.weight_decay = table.number("optimizer.weight_decay", 0.0, infinity, 0.0);
  optimizer.clip = table.number("optimizer.clip", 0.0, infinity, 0.0);
  configuration.skip_nonfinite = table.choice<bool>("optimizer.nonfinite", {{"stop", false}, {"skip", true}}, "stop");
  optimizer.adam.state = table.choice<StateType>(
      "optimizer.state", {{"float", StateType::full}, {"bfloat16", StateType::bfloat16}, {"int8", StateType::int8}},
      "float");
}

void read_grass(ConfigurationTable& table, Configuration& configuration) {
  GrassConstants& grass = configuration.optimizer.grass_constants;
  if (configuration.optimizer.grass || table.has("grass.rank")) grass.rank = table.integer("grass.rank", 1);
  grass.selection = table.choice<Selection>("grass.selection",
                                            {{"top-r", Selection::top_r},
                                             {"norm", Selection::norm},
                                             {"norm-squared", Selection::norm_squared},
                                             {"uniform", Selection::uniform},
                                             {"norm-replacement", Selection::norm_replacement},
                                             {"norm-squared-replacement", Selection::norm_squared_replacement},
                                             {"uniform-replacement", Selection::uniform_replacement}},
                                            "norm");
  grass.refresh_interval = table.integer("grass.refresh_interval", 1, 200);
  grass.scale = table.number("grass.scale", 0.0, infinity, 0.25);
  grass.refresh_warmup = table.integer("grass.refresh_warmup", 0, 20);
  grass.keep_moments = table.boolean("grass.keep_moments", false);
  const std::string obstacle = obstacle_to_keeping_moments(grass, configuration.optimizer.adam);
  if (!obstacle.empty()) table.fail("grass.keep_moments", obstacle);
  using Rule = GrassConstants::SideRule;
  grass.side = table.choice<Rule>(
      "grass.side", {{"smaller", Rule::smaller}, {"rows", Rule::rows}, {"columns", Rule::columns}}, "smaller");
  configuration.optimizer.projected.clear();
  const std::map<std::string, ParameterKind> kinds{
      {"attention", ParameterKind::attention}, {"mlp", ParameterKind::mlp}, {"head", ParameterKind::head}};
  for (const std::string& name : table.texts("grass.matrices", {"attention", "mlp"})) {
    const auto kind = kinds.find(name);
    if (kind == kinds.end())
      table.fail("grass.matrices", "has \"" + name + "\"; allowed: \"attention\", \"mlp\", \"head\"");
    configuration.optimizer.projected.push_back(kind->second);
  }
}

void read_schedule(ConfigurationTable& table, ScheduleOptions& schedule) {
  schedule.steps = table.integer("schedule.steps", 1);
  schedule.warmup_steps = table.integer("schedule.warmup_steps", 0, 0);
  schedule.shape = table.choice<ScheduleOptions::Shape>(
      "schedule.shape", {{"constant", ScheduleOptions::Shape::constant}, {"cosine", ScheduleOptions::Shape::cosine}},
      "cosine");
  schedule.final_fraction = table.number("schedule.final_fraction", 0.0, 1.0, 0.1);
}

void read_output(ConfigurationTable& table, OutputOptions& output) {
  output.directory = table.text("output.directory");
  output.checkpoint_interval = table.integer("output.checkpoint_interval", 0, 0);
  output.evaluation_interval = table.integer("output.evaluation_interval", 0, 0);
  output.keep = table.integer("output.keep", 1, 2);
}

void read_precision(ConfigurationTable& table, Configuration& configuration) {
  configuration.precision = table.choice<Precision>(
      "precision.compute",
      {{"float", Precision::float32}, {"bfloat16", Precision::bfloat16}, {"float8", Precision::float8}}, "float");
  const bool is_float = configuration.precision == Precision::float32;
  // A second copy of the weights would cost what two bytes are to save; 8 bits hold no update.
  require_default(table, "precision.weights", is_float ? "float" : "bfloat16");
  configuration.optimizer.stochastic_rounding =
      table.choice<bool>("precision.rounding", {{"nearest", false}, {"stochastic", true}}, "stochastic");
}

void read_run(ConfigurationTable& table, Configuration& configuration) {
  configuration.seed = static_cast<std::uint64_t>(table.integer("run.seed", 0, 0));
  configuration.recompute = table.choice<Recompute>(
      "run.recompute", {{"none", Recompute::none}, {"attention", Recompute::attention}, {"block", Recompute::block}},
      "none");
  using Library = CommunicationLibrary;
  configuration.communication = table.choice<Library>(
      "run.communication", {{"auto", Library::automatic}, {"mpi", Library::mpi}, {"nccl", Library::nccl}}, "auto");
  if (configuration.communication == Library::nccl && !has_nccl)
    table.fail("run.communication", "is \"nccl\", and this build is without NCCL; allowed: \"auto\", \"mpi\"");
  configuration.timeout_seconds = table.number("run.timeout_seconds", 1.0, longest_timeout_seconds, 600.0);
  configuration.sharing = table.choice<Sharing>(
      "run.shard", {{"none", Sharing::none}, {"states", Sharing::states}, {"weights", Sharing::weights}}, "none");
  configuration.bfloat16_message = table.choice<bool>("run.message", {{"float", false}, {"bfloat16", true}}, "float");
  configuration.embedding_message_rows =
      table.choice<bool>("run.embedding_message", {{"dense", false}, {"rows", true}}, "dense");
  if (configuration.embedding_message_rows && configuration.sharing == Sharing::weights)
    table.fail("run.embedding_message", "is \"rows\", which run.shard = \"weights\" cannot share; allowed: \"dense\"");
  configuration.deterministic = table.boolean("run.deterministic", true);
}

}  // namespace

Configuration read_configuration(const std::filesystem::path& file, const std::vector<std::string>& settings,
                                 const std::filesystem::path& checkpoint) {
  ConfigurationTable table(file, settings);
  Configuration configuration;
  read_data(table, configuration);
  read_optimizer(table, configuration);
  read_grass(table, configuration);
  read_schedule(table, configuration.schedule);
  read_output(table, configuration.output);
  read_precision(table, configuration);
  read_run(table, configuration);
  read_model(table, checkpoint, configuration);
  if (configuration.embedding_message_rows && configuration.shape.tie_embeddings)
    table.fail("run.embedding_message",
               "is \"rows\", and the embedding is the head too (tie_embeddings): its gradient "
               "has no rows of zeros to leave out; allowed: \"dense\"");
  configuration.optimizer.grass_constants.seed = configuration.seed;
  configuration.optimizer.seed = configuration.seed;
  configuration.text = table.to_text();
  return configuration;
}

LlamaShape preset_shape(const std::string& name) {
  const auto shape = [](std::int64_t hidden, std::int64_t intermediate, std::int64_t heads, std::int64_t layers) {
    LlamaShape result;
    result.hidden_size = hidden;
    result.intermediate_size = intermediate;
    result.num_heads = heads;
    result.num_key_value_heads = heads;
    result.num_layers = layers;
    result.vocab_size = 32000;
    return result;
  };
  const std::map<std::string, LlamaShape> presets{
      {"60m", shape(512, 1376, 8, 8)},     {"130m", shape(768, 2048, 12, 12)}, {"350m", shape(1024, 2736, 16, 24)},
      {"1b", shape(2048, 5461, 32, 24)},   {"7b", shape(4096, 11008, 32, 32)}, {"13b", shape(5120, 13824, 40, 40)},
      {"65b", shape(8192, 22016, 64, 80)},
  };
  return presets.at(name.rfind("llama-", 0) == 0 ? name.substr(6) : name);
}

}  // namespace Sward
