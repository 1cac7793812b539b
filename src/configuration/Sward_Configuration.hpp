#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "Sward_CommunicationLibrary.hpp"
#include "Sward_Llama.hpp"
#include "Sward_LlamaShape.hpp"
#include "Sward_Optimizer.hpp"
#include "Sward_TokenStream.hpp"

namespace Sward {

/// A token file and how often its sequences come, in proportion to the other files' weights.
struct TrainingFile {
  std::filesystem::path path;
  double weight = 1.0;
};

/// The table [data], as in docs/configuration.md.
struct DataOptions {
  std::vector<TrainingFile> train;   ///< at least one
  std::filesystem::path validation;  ///< empty: no evaluation
  std::int64_t sequence_length = 0;
  SequenceOrder order = SequenceOrder::shuffled;
  bool document_attention = false;  ///< no attention across the documents of a sequence
};

/// The table [batch].
struct BatchOptions {
  std::int64_t sequences = 0;  ///< an update, over all ranks
  std::int64_t micro = 0;      ///< a pass on one rank
};

/// The table [schedule]: the learning rate over the updates.
struct ScheduleOptions {
  std::int64_t steps = 0;
  std::int64_t warmup_steps = 0;
  /// Of the learning rate behind the warm-up.
  enum class Shape { constant, cosine } shape = Shape::cosine;
  double final_fraction = 0.1;
};

/// The table [output].
struct OutputOptions {
  std::filesystem::path directory;
  std::int64_t checkpoint_interval = 0;
  std::int64_t evaluation_interval = 0;
  std::int64_t keep = 2;
};

/// In what weights and activations are stored and multiplied; sums, gradients and losses are in float in any case.
enum class Precision {
  float32,
  bfloat16,
  float8  ///< stored in bfloat16; the linears of the blocks multiply in 8 bits
};

/// Of what each rank has a part only.
enum class Sharing {
  none,
  states,  ///< the optimizer's states
  weights  ///< these, the weights and the sums of gradients
};

/// Everything that a run is asked for; docs/configuration.md describes each key.
struct Configuration {
  LlamaShape shape;               ///< empty until read when `initial` gives it
  std::filesystem::path initial;  ///< a Hugging Face folder or a checkpoint to take weights and shape from
  DataOptions data;
  BatchOptions batch;
  double learning_rate = 0.0;
  OptimizerOptions optimizer;
  bool skip_nonfinite = false;  ///< an update whose loss or gradient is not finite is skipped instead of ending the run
  ScheduleOptions schedule;
  Precision precision = Precision::float32;
  OutputOptions output;
  std::uint64_t seed = 0;
  Recompute recompute = Recompute::none;
  CommunicationLibrary communication = CommunicationLibrary::automatic;
  double timeout_seconds = 600.0;  ///< after which a rank that does not come to a collective counts as lost
  Sharing sharing = Sharing::none;
  bool bfloat16_message = false;        ///< gradients cross the network in two bytes
  bool embedding_message_rows = false;  ///< of the embedding's gradient only the rows that occur
  bool deterministic = true;            ///< the same bits in every run; vendors' kernels may be faster without
  std::string text;                     ///< the configuration as it was read, for the checkpoint
};

/// Reads a TOML file and applies `section.key=value` settings, values in TOML's notation (a bare word is a string).
/// A checkpoint, if named, gives the shape where [model] has none. Throws InputError naming file, line, key and what is
/// allowed.
Configuration read_configuration(const std::filesystem::path& file, const std::vector<std::string>& settings = {},
                                 const std::filesystem::path& checkpoint = {});

/// The shape of a preset: 60m 130m 350m 1b 7b 13b 65b, with or without "llama-" before it.
/// Throws std::out_of_range for any other name.
LlamaShape preset_shape(const std::string& name);

}  // namespace Sward
