#include "Sward_Trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "Sward_AtomicFile.hpp"
#include "Sward_Format.hpp"
#include "Sward_InputError.hpp"
#include "Sward_ResidentMemory.hpp"
#include "Sward_Schedule.hpp"
#include "Sward_TrainingState.hpp"

namespace Sward {

namespace {

bool is_inside(const std::filesystem::path& file, const std::filesystem::path& directory) {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  return std::filesystem::equivalent(folder, directory, ignored);
}

}  // namespace

Trainer::Trainer(const Configuration& configuration, const std::string& resume, Communicator<MpiSpace>& communicator)
    : configuration_(configuration), communicator_(communicator) {
  check_batch(configuration, communicator.size());
  train_ = std::make_shared<const TokenFile>(configuration.data.train);
  plan_ = plan_training(configuration, communicator.size(), train_->token_count(), communicator);
  if (!configuration.data.validation.empty())
    validation_ = std::make_unique<const TokenFile>(configuration.data.validation);
  check_data();
  stream_ = std::make_unique<TokenStream>(train_, static_cast<std::uint64_t>(configuration.data.sequence_length),
                                          static_cast<std::uint64_t>(configuration.batch.sequences),
                                          configuration.data.order, configuration.seed);
  choose_checkpoint(resume);
  require_same_start();
  check_output(resume);
}

void Trainer::check_data() const {
  const auto vocabulary = static_cast<std::uint32_t>(configuration_.shape.vocab_size);
  const auto ranks = static_cast<std::uint64_t>(communicator_.size());
  const auto rank = static_cast<std::uint64_t>(communicator_.rank());
  const auto check_share = [&](const TokenFile& file) {
    // Every rank reads its share, so that a large file is checked at the file system's full rate.
    const std::uint64_t first = file.token_count() * rank / ranks;
    const std::uint64_t last = file.token_count() * (rank + 1) / ranks;
    check_tokens(file, first, last - first, vocabulary);
  };
  check_share(*train_);
  if (validation_ == nullptr) return;
  check_share(*validation_);
  if (validation_->token_count() <= static_cast<std::uint64_t>(configuration_.data.sequence_length))
    throw InputError(fmt::format("{}: is shorter than one sequence of {} tokens and its target",
                                 validation_->path().string(), configuration_.data.sequence_length));
}

void Trainer::choose_checkpoint(const std::string& resume) {
  if (resume.empty()) return;
  if (resume != "auto") {
    checkpoint_.emplace(resume);
  } else {
    for (const auto& path : list_checkpoints(configuration_.output.directory)) {
      try {
        checkpoint_.emplace(path);
        break;
      } catch (const InputError& error) {
        if (is_root()) fmt::print("passed over: {}\n", error.what());
      }
    }
  }
  if (!checkpoint_) return;
  const CheckpointHeader& header = checkpoint_->header();
  const std::string file = checkpoint_->file().path().string();
  if (!(header.shape == configuration_.shape))
    throw InputError(file + ": holds a model of another shape than the configuration");
  first_step_ = header.step;
  if (!checkpoint_->has_optimizer()) return;
  if (header.seed != configuration_.seed)
    throw InputError(fmt::format("{}: was made with run.seed = {}, not {}", file, header.seed, configuration_.seed));
  if (header.sequences != configuration_.batch.sequences ||
      header.sequence_length != configuration_.data.sequence_length)
    throw InputError(fmt::format("{}: was made with {} sequences of {} tokens an update, not {} of {}", file,
                                 header.sequences, header.sequence_length, configuration_.batch.sequences,
                                 configuration_.data.sequence_length));
}

void Trainer::require_same_start() const {
  // Every rank has looked for itself: a folder that is not shared, or a stale listing, shows here.
  const auto agree = [&](std::uint64_t value) { return communicator_.minimum(value) == communicator_.maximum(value); };
  const bool has_optimizer = checkpoint_ && checkpoint_->has_optimizer();
  const bool same_step = agree(static_cast<std::uint64_t>(first_step_));
  const bool same_kind = agree((checkpoint_ ? 1U : 0U) + (has_optimizer ? 1U : 0U));
  if (!same_step || !same_kind)
    throw InputError(configuration_.output.directory.string() +
                     ": ranks find different checkpoints to go on from; all ranks must see the same folder");
}

void Trainer::check_output(const std::string& resume) const {
  const std::filesystem::path& directory = configuration_.output.directory;
  const auto checkpoints = list_checkpoints(directory);
  const bool has_checkpoints = !checkpoints.empty();
  if (checkpoint_ && is_inside(checkpoint_->file().path(), directory)) {
    if (resume != "auto" && has_checkpoints && checkpoint_step(checkpoints.front()) > first_step_)
      throw InputError(
          fmt::format("{}: is later than the checkpoint to go on from; move it away, or name another "
                      "'output.directory'",
                      checkpoints.front().string()));
    return;
  }
  // A run that was killed before its first checkpoint starts afresh.
  if (resume == "auto" && has_checkpoints)
    throw InputError(directory.string() + ": already holds a run, and none of its checkpoints can be read");
  if (resume != "auto" && (has_checkpoints || std::filesystem::exists(directory / "metrics.jsonl")))
    throw InputError(directory.string() +
                     ": already holds a run; go on with --resume auto, or name another 'output.directory'");
  if (std::filesystem::exists(directory) && !std::filesystem::is_directory(directory))
    throw InputError(directory.string() + ": 'output.directory' is not a directory");
}

void Trainer::start() {
  arena_.emplace(Arena<Space>::holding(plan_.arena_bytes()));
  place_training(*arena_, configuration_, communicator_, model_, optimizer_);
  model_->initialize(space_);
  optimizer_->initialize(space_);
  if (checkpoint_) {
    load_weights(space_, *checkpoint_, *model_);
    if (checkpoint_->has_optimizer()) load_optimizer(space_, *checkpoint_, *optimizer_);
  } else if (!configuration_.initial.empty()) {
    load_initial_weights(space_, configuration_.initial, *model_);
  } else {
    model_->initialize_weights(space_, configuration_.seed);
  }
  checkpoint_.reset();
  // No rank may still be looking at the directory when it is written to.
  communicator_.barrier();
  if (!is_root()) return;
  std::filesystem::create_directories(configuration_.output.directory);
  remove_temporaries(configuration_.output.directory);
  metrics_ = std::make_unique<MetricsFile>(configuration_.output.directory / "metrics.jsonl", first_step_);
}

double Trainer::compute_gradients(std::int64_t step) {
  const std::int64_t micro = configuration_.batch.micro;
  const std::int64_t micro_steps = configuration_.batch.sequences / (micro * communicator_.size());
  const std::int64_t tokens = configuration_.batch.sequences * configuration_.data.sequence_length;
  double loss = 0.0;
  optimizer_->begin_update(space_, step, static_cast<int>(micro_steps));
  for (std::int64_t j = 0; j < micro_steps; ++j) {
    const std::int64_t first = (j * communicator_.size() + communicator_.rank()) * micro;
    const TokenBatch batch = stream_->read(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(first),
                                           static_cast<std::uint64_t>(micro));
    model_->set_batch(space_, batch.inputs, batch.targets);
    // Scaled so that the sum over micro-batches and ranks is the gradient of the mean loss.
    model_->forward_backward(space_, 1.0 / static_cast<double>(tokens), *optimizer_);
    loss += model_->loss_sum(space_);
  }
  return communicator_.sum(loss) / static_cast<double>(tokens);
}

UpdateMetrics Trainer::update(std::int64_t step) {
  const auto begin = std::chrono::steady_clock::now();
  UpdateMetrics metrics;
  metrics.step = step;
  metrics.loss = compute_gradients(step);
  const GradientNorm gradient = optimizer_->finish_gradients();
  if (!gradient.nonfinite_parameter.empty())
    throw TrainingError(fmt::format("step {}: the gradient of {} is not finite (loss {})", step + 1,
                                    gradient.nonfinite_parameter, metrics.loss));
  if (!std::isfinite(metrics.loss)) throw TrainingError(fmt::format("step {}: the loss is {}", step + 1, metrics.loss));
  metrics.gradient_norm = gradient.norm;
  metrics.learning_rate = scheduled_learning_rate(configuration_.schedule, configuration_.learning_rate, step);
  optimizer_->apply(metrics.learning_rate, gradient.norm);
  space_.fence("Sward::Trainer::update");
  metrics.step_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const std::int64_t tokens = configuration_.batch.sequences * configuration_.data.sequence_length;
  metrics.tokens = (step + 1) * tokens;
  metrics.tokens_per_second = static_cast<double>(tokens) / metrics.step_seconds;
  metrics.communicated_bytes = optimizer_->communicated_bytes();
  metrics.device_memory_bytes = arena_->bytes();
  metrics.refreshed = optimizer_->refreshes(step);
  return metrics;
}

void Trainer::log(const UpdateMetrics& metrics) const {
  const std::int64_t done = metrics.step + 1 - first_step_;
  const double left = seconds_trained_ / static_cast<double>(done) *
                      static_cast<double>(configuration_.schedule.steps - metrics.step - 1);
  fmt::print(
      "step {:>6}/{}  loss {:.4f}  rate {:.2e}  gradient {:.3f}  {:>9.0f} tokens/s  memory {}  sent {}  left {}{}\n",
      metrics.step + 1, configuration_.schedule.steps, metrics.loss, metrics.learning_rate, metrics.gradient_norm,
      metrics.tokens_per_second, bytes_text(metrics.device_memory_bytes), bytes_text(metrics.communicated_bytes),
      duration_text(left), metrics.refreshed ? "  refreshed" : "");
  std::fflush(stdout);
}

void Trainer::evaluate_now(std::int64_t step) {
  const double loss = evaluate(space_, *model_, *validation_, communicator_);
  if (!std::isfinite(loss)) throw TrainingError(fmt::format("step {}: the validation loss is {}", step + 1, loss));
  if (!is_root()) return;
  metrics_->write_evaluation(step, loss);
  fmt::print("step {:>6}/{}  validation loss {:.4f}  perplexity {:.3f}\n", step + 1, configuration_.schedule.steps,
             loss, std::exp(loss));
}

void Trainer::save(std::int64_t steps_done) {
  if (is_root()) {
    const CheckpointHeader header{
        steps_done,          configuration_.seed, configuration_.data.sequence_length, configuration_.batch.sequences,
        configuration_.text, configuration_.shape};
    const std::filesystem::path& directory = configuration_.output.directory;
    const std::filesystem::path path = checkpoint_path(directory, steps_done);
    save_training_state(space_, path, header, *model_, *optimizer_);
    // Later ones are there when they could not be read and the run went on from an earlier one; they push none out.
    const auto all = list_checkpoints(directory);
    const auto newest = std::find(all.begin(), all.end(), path);
    for (auto i = newest; i != all.end(); ++i)
      if (i - newest >= configuration_.output.keep) std::filesystem::remove(*i);
  }
  communicator_.barrier();
}

bool Trainer::is_due(std::int64_t interval, std::int64_t steps_done) const {
  return steps_done == configuration_.schedule.steps || (interval > 0 && steps_done % interval == 0);
}

void Trainer::log_memory() const {
  const std::uint64_t arena = communicator_.maximum(arena_->bytes());
  const std::uint64_t peak = communicator_.maximum(read_resident_memory().peak);
  if (!is_root()) return;
  fmt::print("largest rank  arena {}, planned {}  process at its peak {} ({} B), planned {}\n", bytes_text(arena),
             bytes_text(plan_.arena_bytes()), bytes_text(peak), peak, bytes_text(plan_.total_bytes()));
}

void Trainer::run() {
  start();
  for (std::int64_t step = first_step_; step < configuration_.schedule.steps; ++step) {
    const UpdateMetrics metrics = update(step);
    seconds_trained_ += metrics.step_seconds;
    if (is_root()) {
      metrics_->write(metrics);
      log(metrics);
    }
    if (validation_ != nullptr && is_due(configuration_.output.evaluation_interval, step + 1)) evaluate_now(step);
    if (is_due(configuration_.output.checkpoint_interval, step + 1)) save(step + 1);
  }
  log_memory();
}

}  // namespace Sward
