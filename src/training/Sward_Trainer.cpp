#include "Sward_Trainer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "Sward_AtomicFile.hpp"
#include "Sward_DiskCheck.hpp"
#include "Sward_Format.hpp"
#include "Sward_KeepSmallBlocks.hpp"
#include "Sward_ProductChoices.hpp"
#include "Sward_ResidentMemory.hpp"
#include "Sward_ResumePoint.hpp"
#include "Sward_RunFacts.hpp"
#include "Sward_Schedule.hpp"
#include "Sward_TrainingState.hpp"

namespace Sward {

template <class Scalar>
Trainer<Scalar>::Trainer(const Configuration& configuration, const std::string& resume, ProcessGroup& communicator,
                         Report report)
    : configuration_(configuration), communicator_(communicator), report_(std::move(report)) {
  check_batch(configuration, communicator.size());
  // The plan measures this process, so it comes before anything that it counts itself.
  plan_ = plan_training(configuration, communicator.size(), find_data_size(configuration.data), communicator);
  open_data();
  check_agreement(communicator, facts());
  checkpoint_ = find_resume_point(configuration, resume, communicator, report_);
  if (!is_root()) return;
  const std::string warning = check_disk(configuration.output, configuration.schedule.steps, plan_.checkpoint_bytes);
  if (!warning.empty()) tell(warning);
}

template <class Scalar>
void Trainer<Scalar>::open_data() {
  const DataOptions& data = configuration_.data;
  for (const TrainingFile& file : data.train)
    train_.push_back({std::make_shared<const TokenFile>(file.path), file.weight});
  if (!data.validation.empty()) validation_ = std::make_unique<const TokenFile>(data.validation);
  check_data();
  stream_ = std::make_unique<TokenStream>(train_, static_cast<std::uint64_t>(data.sequence_length),
                                          static_cast<std::uint64_t>(configuration_.batch.sequences), data.order,
                                          configuration_.seed, data.document_attention);
}

/// What has to be the same on all ranks before the first step, but for the weights.
template <class Scalar>
Facts Trainer<Scalar>::facts() const {
  Facts all = configuration_facts(configuration_);
  const auto add = [&](const std::string& key, const TokenFile& file) {
    const Facts more = token_file_facts(key, file);
    all.insert(all.end(), more.begin(), more.end());
  };
  for (const TokenSource& source : train_) add("data.train", *source.file);
  if (validation_ != nullptr) add("data.validation", *validation_);
  return all;
}

template <class Scalar>
void Trainer<Scalar>::check_data() const {
  const auto vocabulary = static_cast<std::uint32_t>(configuration_.shape.vocab_size);
  const auto ranks = static_cast<std::uint64_t>(communicator_.size());
  const auto rank = static_cast<std::uint64_t>(communicator_.rank());
  const auto check_share = [&](const TokenFile& file) {
    // Every rank reads its share, so that a large file is checked at the file system's full rate.
    const std::uint64_t first = file.token_count() * rank / ranks;
    const std::uint64_t last = file.token_count() * (rank + 1) / ranks;
    check_tokens(file, first, last - first, vocabulary);
  };
  for (const TokenSource& source : train_) check_share(*source.file);
  if (validation_ == nullptr) return;
  check_share(*validation_);
  require_evaluable(*validation_, static_cast<std::uint64_t>(configuration_.data.sequence_length));
  if (configuration_.data.document_attention) validation_->document_starts();
}

template <class Scalar>
void Trainer<Scalar>::start() {
  set_product_measuring(!configuration_.deterministic);
  arena_.emplace(Arena<Space>::holding(plan_.arena_bytes()));
  place_training(*arena_, configuration_, communicator_.size(), communicator_, model_, optimizer_);
  model_->initialize(space_);
  optimizer_->initialize(space_);
  Facts facts;
  const auto note = [&](std::size_t parameter) { facts.push_back(weight_fact(space_, *model_, parameter)); };
  if (checkpoint_) {
    first_step_ = checkpoint_->header().step;
    load_weights(space_, *checkpoint_, *model_, note);
    if (checkpoint_->has_optimizer()) load_optimizer(space_, *checkpoint_, *optimizer_);
    restore_product_choices(*checkpoint_);
  } else if (!configuration_.initial.empty()) {
    load_initial_weights(space_, configuration_.initial, *model_, note);
  } else {
    model_->initialize_weights(space_, configuration_.seed, note);
  }
  checkpoint_.reset();
  check_agreement(communicator_, facts);
  // No rank may still be looking at the directory when it is written to.
  communicator_.barrier();
  if (!is_root()) return;
  std::filesystem::create_directories(configuration_.output.directory);
  lock_.emplace(configuration_.output.directory);
  remove_temporaries(configuration_.output.directory);
  metrics_ = std::make_unique<MetricsFile>(configuration_.output.directory / "metrics.jsonl", first_step_);
}

/// This rank's micro-batches of an update.
template <class Scalar>
std::vector<TokenBatch> Trainer<Scalar>::read_batches(std::int64_t step) {
  const std::int64_t micro = configuration_.batch.micro;
  const std::int64_t micro_steps = configuration_.batch.sequences / (micro * communicator_.size());
  std::vector<TokenBatch> batches;
  for (std::int64_t j = 0; j < micro_steps; ++j) {
    const std::int64_t first = (j * communicator_.size() + communicator_.rank()) * micro;
    batches.push_back(stream_->read(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(first),
                                    static_cast<std::uint64_t>(micro)));
  }
  return batches;
}

/// Nothing behind the last update.
template <class Scalar>
void Trainer<Scalar>::read_ahead(std::int64_t step) {
  if (step < configuration_.schedule.steps) next_batches_ = read_batches(step);
}

/// Targets of an update that count, over all ranks and micro-batches; the gradients' scale has to be known before the
/// first backward pass.
template <class Scalar>
double Trainer<Scalar>::count_targets(std::int64_t step, const std::vector<TokenBatch>& batches) const {
  const std::int64_t sequences = configuration_.batch.sequences;
  if (!stream_->has_loss_mask()) return static_cast<double>(sequences * configuration_.data.sequence_length);
  std::int64_t mine = 0;
  for (const TokenBatch& batch : batches) mine += batch.counting_targets();
  const double targets = communicator_.sum(static_cast<double>(mine));
  if (targets == 0.0)
    throw TrainingError(
        fmt::format("step {}: by /loss_mask no target counts in its sequences, {} to {} of the run; "
                    "raise 'batch.sequences'",
                    step + 1, step * sequences, (step + 1) * sequences - 1));
  return targets;
}

/// The tokens that occur in the inputs of any rank's batches.
template <class Scalar>
std::vector<int> Trainer<Scalar>::occurring_tokens(const std::vector<TokenBatch>& batches) const {
  constexpr std::size_t word_bits = 64;
  const auto vocabulary = static_cast<std::size_t>(configuration_.shape.vocab_size);
  std::vector<std::uint64_t> mine((vocabulary + word_bits - 1) / word_bits);
  for (const TokenBatch& batch : batches)
    for (const std::int32_t token : batch.inputs)
      mine[static_cast<std::size_t>(token) / word_bits] |= std::uint64_t{1}
                                                           << (static_cast<std::size_t>(token) % word_bits);
  const std::vector<std::uint64_t> all = communicator_.merge(mine);
  std::vector<int> tokens;
  for (std::size_t token = 0; token < vocabulary; ++token)
    if ((all[token / word_bits] >> (token % word_bits) & 1U) != 0) tokens.push_back(static_cast<int>(token));
  return tokens;
}

template <class Scalar>
double Trainer<Scalar>::compute_gradients(std::int64_t step) {
  const std::vector<TokenBatch> batches = std::exchange(next_batches_, {});
  const double targets = count_targets(step, batches);
  double loss = 0.0;
  optimizer_->begin_update(space_, step, static_cast<int>(batches.size()), learning_rate(step));
  if (optimizer_->sends_embedding_rows()) optimizer_->set_embedding_rows(occurring_tokens(batches));
  for (const TokenBatch& batch : batches) {
    model_->set_batch(space_, batch.inputs, batch.targets, batch.document_first);
    // Scaled so that the sum over micro-batches and ranks is the gradient of the mean loss.
    model_->forward_backward(space_, 1.0 / targets, *optimizer_);
    // A device computes meanwhile: the loss is what is waited for.
    if (&batch == &batches.back()) read_ahead(step + 1);
    loss += model_->loss_sum(space_);
  }
  return communicator_.sum(loss) / targets;
}

template <class Scalar>
UpdateMetrics Trainer<Scalar>::update(std::int64_t step) {
  const auto begin = std::chrono::steady_clock::now();
  keep_small_blocks(space_);
  UpdateMetrics metrics;
  metrics.step = step;
  metrics.loss = compute_gradients(step);
  const GradientNorm gradient = optimizer_->finish_gradients();
  metrics.skipped = is_to_be_skipped(step, metrics.loss, gradient);
  metrics.gradient_norm = gradient.norm;
  metrics.learning_rate = learning_rate(step);
  if (metrics.skipped)
    optimizer_->skip();
  else
    optimizer_->apply(gradient.norm);
  space_.fence("Sward::Trainer::update");
  communicator_.progress();
  metrics.step_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  const std::int64_t tokens = configuration_.batch.sequences * configuration_.data.sequence_length;
  metrics.tokens = (step + 1) * tokens;
  metrics.tokens_per_second = static_cast<double>(tokens) / metrics.step_seconds;
  metrics.communicated_bytes = optimizer_->communicated_bytes();
  metrics.device_memory_bytes = arena_->bytes();
  metrics.refreshed = optimizer_->refreshes();
  return metrics;
}

template <class Scalar>
bool Trainer<Scalar>::is_to_be_skipped(std::int64_t step, double loss, const GradientNorm& gradient) const {
  std::string reason;
  if (!gradient.nonfinite_parameter.empty())
    reason = fmt::format("the gradient of {} is not finite (loss {})", gradient.nonfinite_parameter, loss);
  else if (!std::isfinite(loss))
    reason = fmt::format("the loss is {}", loss);
  if (reason.empty()) return false;
  if (!configuration_.skip_nonfinite) throw TrainingError(fmt::format("step {}: {}", step + 1, reason));
  if (is_root()) tell(fmt::format("step {:>6}/{}  skipped: {}", step + 1, configuration_.schedule.steps, reason));
  return true;
}

template <class Scalar>
void Trainer<Scalar>::tell(const std::string& line) const {
  if (report_) report_(line);
}

template <class Scalar>
void Trainer<Scalar>::log(const UpdateMetrics& metrics) const {
  const std::int64_t done = metrics.step + 1 - first_step_;
  const double left = seconds_trained_ / static_cast<double>(done) *
                      static_cast<double>(configuration_.schedule.steps - metrics.step - 1);
  tell(fmt::format(
      "step {:>6}/{}  loss {:.4f}  rate {:.2e}  gradient {:.3f}  {:>9.0f} tokens/s  memory {}  sent {}  left {}{}",
      metrics.step + 1, configuration_.schedule.steps, metrics.loss, metrics.learning_rate, metrics.gradient_norm,
      metrics.tokens_per_second, bytes_text(metrics.device_memory_bytes), bytes_text(metrics.communicated_bytes),
      duration_text(left), metrics.refreshed ? "  refreshed" : ""));
}

template <class Scalar>
void Trainer<Scalar>::evaluate_now(std::int64_t step) {
  keep_small_blocks(space_);
  const double loss = evaluate(space_, *model_, *validation_, configuration_.data.document_attention, communicator_);
  if (!std::isfinite(loss)) throw TrainingError(fmt::format("step {}: the validation loss is {}", step + 1, loss));
  if (!is_root()) return;
  metrics_->write_evaluation(step, loss);
  tell(fmt::format("step {:>6}/{}  validation loss {:.4f}  perplexity {:.3f}", step + 1, configuration_.schedule.steps,
                   loss, std::exp(loss)));
}

template <class Scalar>
void Trainer<Scalar>::save(std::int64_t steps_done) {
  if (!is_root()) return send_training_state(space_, *model_, *optimizer_);
  finish_checkpoint();
  const CheckpointHeader header{
      steps_done,          configuration_.seed, configuration_.data.sequence_length, configuration_.batch.sequences,
      configuration_.text, configuration_.shape};
  const std::filesystem::path path = checkpoint_path(configuration_.output.directory, steps_done);
  pending_.emplace(write_training_state(space_, path, header, *model_, *optimizer_), configuration_.output.keep);
}

template <class Scalar>
void Trainer<Scalar>::finish_checkpoint() {
  if (!pending_) return;
  const std::string complaint = pending_->finish();
  tell("checkpoint " + pending_->path().string());
  if (!complaint.empty()) tell(complaint);
  pending_.reset();
}

template <class Scalar>
void Trainer<Scalar>::finish() {
  finish_checkpoint();
  if (is_root() && skipped_ > 0) tell(fmt::format("{} updates were skipped", skipped_));
  // On no rank is the run over before its last checkpoint is durable.
  communicator_.barrier();
}

template <class Scalar>
bool Trainer<Scalar>::is_due(std::int64_t interval, std::int64_t steps_done) const {
  return steps_done == configuration_.schedule.steps || (interval > 0 && steps_done % interval == 0);
}

template <class Scalar>
void Trainer<Scalar>::log_memory() const {
  const std::uint64_t arena = communicator_.maximum(arena_->bytes());
  const std::uint64_t peak = communicator_.maximum(read_resident_memory().peak);
  if (!is_root()) return;
  tell(fmt::format("largest rank  arena {}, planned {}  process at its peak {} ({} B), planned {}", bytes_text(arena),
                   bytes_text(plan_.arena_bytes()), bytes_text(peak), peak, bytes_text(plan_.total_bytes())));
}

template <class Scalar>
bool Trainer<Scalar>::run(const std::function<bool()>& stop_is_requested) {
  start();
  try {
    return train(stop_is_requested);
  } catch (const TrainingError&) {
    // On all ranks at once. None may end the job before a checkpoint that is on its way has arrived.
    finish();
    throw;
  }
}

template <class Scalar>
bool Trainer<Scalar>::train(const std::function<bool()>& stop_is_requested) {
  read_ahead(first_step_);
  bool stopping = false;
  for (std::int64_t step = first_step_; step < configuration_.schedule.steps && !stopping; ++step) {
    const UpdateMetrics metrics = update(step);
    seconds_trained_ += metrics.step_seconds;
    skipped_ += metrics.skipped ? 1 : 0;
    if (is_root()) {
      metrics_->write(metrics);
      log(metrics);
    }
    if (validation_ != nullptr && is_due(configuration_.output.evaluation_interval, step + 1)) evaluate_now(step);
    // The same update on all ranks, whichever of them the request has reached.
    stopping = communicator_.maximum(stop_is_requested() ? 1 : 0) == 1 && step + 1 < configuration_.schedule.steps;
    if (stopping || is_due(configuration_.output.checkpoint_interval, step + 1)) save(step + 1);
    if (pending_ && pending_->is_ready()) finish_checkpoint();
  }
  log_memory();
  finish();
  return !stopping;
}

template class Trainer<float>;
template class Trainer<BFloat16>;

}  // namespace Sward
