#include "Sward_Plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "Sward_Format.hpp"
#include "Sward_Hdf5.hpp"
#include "Sward_InputError.hpp"
#include "Sward_ProcessMemory.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

namespace {

using Space = Kokkos::DefaultExecutionSpace;

BatchShape batch_of(const Configuration& configuration) {
  return {static_cast<std::size_t>(configuration.batch.micro),
          static_cast<std::size_t>(configuration.data.sequence_length), true, configuration.deterministic,
          configuration.precision == Precision::float8};
}

const std::vector<std::pair<Recompute, std::string>>& recompute_levels() {
  static const std::vector<std::pair<Recompute, std::string>> levels{
      {Recompute::none, "none"}, {Recompute::attention, "attention"}, {Recompute::block, "block"}};
  return levels;
}

template <class Scalar>
std::vector<PlannedMemory> activations_by_level(const Configuration& configuration) {
  std::vector<PlannedMemory> activations;
  for (const auto& [recompute, name] : recompute_levels()) {
    Arena<Space> arena = Arena<Space>::measuring();
    const Llama<Space, Scalar> model(arena, configuration.shape, batch_of(configuration), recompute);
    activations.push_back({name, arena.bytes(BlockKind::activation)});
  }
  return activations;
}

/// Inputs and targets of all passes of an update and of the next one, and the tokens of one pass as they were read.
std::size_t token_batch_bytes(const Configuration& configuration, int ranks) {
  const auto passes = static_cast<std::size_t>(configuration.batch.sequences / configuration.batch.micro / ranks);
  const std::size_t arrays = configuration.data.document_attention ? 3 : 2;
  return (2 * passes * arrays + 1) * sizeof(std::int32_t) * batch_of(configuration).tokens();
}

std::vector<PlannedMemory> plan_outside(const Configuration& configuration, int ranks,
                                        const std::optional<DataSize>& data, std::size_t logits_rows,
                                        std::size_t largest_message) {
  // MPI receives into memory of its own before it adds.
  const std::size_t message_copy = ranks > 1 ? largest_message : 0;
  std::vector<PlannedMemory> outside{
      {"program_and_libraries", measure_process(configuration, logits_rows, message_copy)}};
  outside.push_back({"token_batch", token_batch_bytes(configuration, ranks)});
  if (data && configuration.data.order == SequenceOrder::shuffled)
    outside.push_back({"sequence_order", sizeof(std::uint32_t) * data->sequences});
  const std::size_t files = configuration.data.train.size() + (configuration.data.validation.empty() ? 0 : 1);
  outside.push_back({"token_file_caches", data ? data->cache_bytes : files * hdf5_chunk_bytes});
  if (ranks > 1) outside.push_back({"message_copy", message_copy});
  return outside;
}

std::size_t sum(const std::vector<PlannedMemory>& memory) {
  std::size_t bytes = 0;
  for (const PlannedMemory& entry : memory) bytes += entry.bytes;
  return bytes;
}

}  // namespace

std::size_t Plan::arena_bytes() const { return sum(arena); }

std::size_t Plan::total_bytes() const { return arena_bytes() + sum(outside); }

template <class Scalar>
void place_training(Arena<Space>& arena, const Configuration& configuration, int ranks, ProcessGroup& communicator,
                    std::optional<Llama<Space, Scalar>>& model, std::optional<Optimizer<Space, Scalar>>& optimizer) {
  const BatchShape batch = batch_of(configuration);
  OptimizerOptions options = configuration.optimizer;
  // Otherwise an update has to wait: for other passes, ranks, the norm of all gradients, or the last of them.
  options.updates_at_once = ranks == 1 && configuration.batch.sequences == configuration.batch.micro &&
                            options.clip == 0.0 && !configuration.skip_nonfinite;
  options.overlaps_refresh = ranks > 1;
  const auto tokens = static_cast<std::size_t>(configuration.batch.sequences * configuration.data.sequence_length);
  if (configuration.sharing != Sharing::none)
    options.shard = {communicator.rank(), ranks, configuration.sharing == Sharing::weights};
  options.micro_batches = static_cast<int>(configuration.batch.sequences / configuration.batch.micro / ranks);
  options.bfloat16_messages = configuration.bfloat16_message && ranks > 1;
  if (configuration.embedding_message_rows && ranks > 1)
    options.embedding_rows = std::min(tokens, static_cast<std::size_t>(configuration.shape.vocab_size));
  const auto storage = options.shard.shares_weights() ? WeightStorage::by_group : WeightStorage::whole;
  model.emplace(arena, configuration.shape, batch, configuration.recompute, storage);
  optimizer.emplace(arena, model->parameters(), model->padded_weights(), batch.tokens(), options, communicator);
  model->set_weight_source(optimizer->weight_source());
}

void check_batch(const Configuration& configuration, int ranks) {
  const auto& [sequences, micro] = configuration.batch;
  if (sequences % micro != 0 || sequences / micro % ranks != 0)
    throw InputError(fmt::format("key 'batch.sequences' is {}; it must be a multiple of ranks x batch.micro = {} x {}",
                                 sequences, ranks, micro));
}

std::optional<DataSize> find_data_size(const DataOptions& options) {
  std::vector<std::filesystem::path> paths;
  for (const TrainingFile& file : options.train) paths.push_back(file.path);
  if (!options.validation.empty()) paths.push_back(options.validation);
  DataSize size;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!std::filesystem::exists(paths[i])) return {};
    const TokenFile file(paths[i]);
    if (i < options.train.size())
      size.sequences += file.sequence_count(static_cast<std::uint64_t>(options.sequence_length));
    const std::size_t caches = (file.has_loss_mask() ? 2 : 1) * hdf5_chunk_bytes;
    size.cache_bytes += std::min<std::size_t>(caches, std::filesystem::file_size(paths[i]));
  }
  return size;
}

namespace {

/// Weights and states of all ranks, without the copies of what they do not share.
template <class Scalar>
std::size_t plan_checkpoint(Configuration configuration, int ranks, ProcessGroup& communicator) {
  configuration.sharing = Sharing::none;
  Arena<Space> arena = Arena<Space>::measuring();
  std::optional<Llama<Space, Scalar>> model;
  std::optional<Optimizer<Space, Scalar>> optimizer;
  place_training(arena, configuration, ranks, communicator, model, optimizer);
  return arena.bytes(BlockKind::weight) + arena.bytes(BlockKind::optimizer_state);
}

template <class Scalar>
Plan plan_training_in(const Configuration& configuration, int ranks, const std::optional<DataSize>& data,
                      ProcessGroup& communicator) {
  Arena<Space> arena = Arena<Space>::measuring();
  std::optional<Llama<Space, Scalar>> model;
  std::optional<Optimizer<Space, Scalar>> optimizer;
  place_training(arena, configuration, ranks, communicator, model, optimizer);
  Plan plan;
  plan.ranks = ranks;
  for (const ParameterInfo& parameter : model->parameters()) plan.parameters += parameter.size();
  for (const auto& [recompute, name] : recompute_levels())
    if (recompute == configuration.recompute) plan.recompute = name;
  plan.arena = {{"weights", arena.bytes(BlockKind::weight)},
                {"optimizer_states", arena.bytes(BlockKind::optimizer_state)},
                {"gradients", arena.bytes(BlockKind::gradient)},
                {"activations", arena.bytes(BlockKind::activation)},
                {"workspace", arena.bytes(BlockKind::workspace)}};
  plan.checkpoint_bytes = plan_checkpoint<Scalar>(configuration, ranks, communicator);
  plan.activations = activations_by_level<Scalar>(configuration);
  plan.messages = optimizer->planned_messages();
  const std::size_t largest_message = optimizer->largest_collective_bytes();
  plan.outside = plan_outside(configuration, ranks, data, model->logits_slice(), largest_message);
  // No message is under way while a checkpoint is written.
  if (const std::size_t gathered = optimizer->gathered_state_bytes(); gathered > largest_message)
    plan.outside.push_back({"gathered_state", gathered - largest_message});
  plan.knows_data = data.has_value();
  plan.message = {"", optimizer->planned_bytes(false), optimizer->planned_bytes(true)};
  return plan;
}

}  // namespace

Plan plan_training(const Configuration& configuration, int ranks, const std::optional<DataSize>& data,
                   ProcessGroup& communicator) {
  const auto plan =
      configuration.precision == Precision::float32 ? plan_training_in<float> : plan_training_in<BFloat16>;
  return plan(configuration, ranks, data, communicator);
}

template void place_training(Arena<Space>&, const Configuration&, int, ProcessGroup&,
                             std::optional<Llama<Space, float>>&, std::optional<Optimizer<Space, float>>&);
template void place_training(Arena<Space>&, const Configuration&, int, ProcessGroup&,
                             std::optional<Llama<Space, BFloat16>>&, std::optional<Optimizer<Space, BFloat16>>&);

namespace {

std::string name_of(const std::string& kind) {
  std::string name = kind;
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string memory_row(const std::string& name, std::size_t bytes) {
  return fmt::format("  {:<24}{:>12}\n", name, bytes_text(bytes));
}

std::string memory_rows(const std::vector<PlannedMemory>& memory) {
  std::string text;
  for (const PlannedMemory& entry : memory) text += memory_row(name_of(entry.kind), entry.bytes);
  return text;
}

/// One row for layers of the same sizes that follow each other.
std::string message_rows(const std::vector<MessageSize>& messages) {
  std::string text;
  for (std::size_t first = 0; first < messages.size();) {
    std::size_t last = first;
    const auto same_as_first = [&](const MessageSize& other) {
      return other.regular == messages[first].regular && other.refresh == messages[first].refresh;
    };
    while (messages[first].layer.starts_with("layer") && last + 1 < messages.size() &&
           messages[last + 1].layer.starts_with("layer") && same_as_first(messages[last + 1]))
      ++last;
    std::string name = messages[first].layer;
    if (last > first) name += " to " + messages[last].layer.substr(6) + ", each";
    text += fmt::format("  {:<24}{:>12}  {:>12}\n", name, bytes_text(messages[first].regular),
                        bytes_text(messages[first].refresh));
    first = last + 1;
  }
  return text;
}

nlohmann::ordered_json json_of(const std::vector<PlannedMemory>& memory) {
  nlohmann::ordered_json object;
  for (const PlannedMemory& entry : memory) object[entry.kind] = entry.bytes;
  return object;
}

}  // namespace

std::string plan_text(const Plan& plan) {
  std::string text =
      fmt::format("{:.1f} million parameters\nmemory on each of {} ranks: {}\n",
                  static_cast<double>(plan.parameters) * 1e-6, plan.ranks, bytes_text(plan.total_bytes()));
  text += memory_rows(plan.arena) + memory_rows(plan.outside);
  if (!plan.knows_data) text += "  (without the order of the sequences, as the training data are not there yet)\n";
  text +=
      fmt::format("activations by run.recompute, which is \"{}\"\n", plan.recompute) + memory_rows(plan.activations);
  text += fmt::format("{:<26}{:>12}  {:>12}\n", "message an update", "regular", "refresh");
  text += message_rows(plan.messages);
  return text + fmt::format("  {:<24}{:>12}  {:>12}\n", "all", bytes_text(plan.message.regular),
                            bytes_text(plan.message.refresh));
}

std::string plan_json(const Plan& plan) {
  nlohmann::ordered_json json;
  json["ranks"] = plan.ranks;
  json["parameters"] = plan.parameters;
  json["recompute"] = plan.recompute;
  json["arena"] = json_of(plan.arena);
  json["arena_bytes"] = plan.arena_bytes();
  json["outside"] = json_of(plan.outside);
  json["total_bytes"] = plan.total_bytes();
  json["activations"] = json_of(plan.activations);
  for (const MessageSize& message : plan.messages)
    json["messages"].push_back({{"layer", message.layer}, {"regular", message.regular}, {"refresh", message.refresh}});
  json["message_bytes"] = {{"regular", plan.message.regular}, {"refresh", plan.message.refresh}};
  return json.dump(2);
}

}  // namespace Sward
