#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "Sward_CheckpointFile.hpp"
#include "Sward_Configuration.hpp"
#include "Sward_Evaluation.hpp"
#include "Sward_Metrics.hpp"
#include "Sward_Plan.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

/// Training cannot go on: a loss or gradient is not finite.
class TrainingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One training run on this rank: data, model, optimizer and output.
///
/// The constructor checks all that can be checked, and throws InputError before anything is written.
class Trainer {
 public:
  using Space = Kokkos::DefaultExecutionSpace;

  /// `resume`: empty, "auto" for the newest checkpoint of the output directory, or a checkpoint's path.
  Trainer(const Configuration& configuration, const std::string& resume, Communicator<MpiSpace>& communicator);

  /// Memory and messages, as planned before the first step.
  const Plan& plan() const { return plan_; }
  /// Trains to the last step; writes metrics, evaluations and checkpoints. Throws TrainingError.
  void run();

 private:
  void check_data() const;
  void choose_checkpoint(const std::string& resume);
  void require_same_start() const;
  void check_output(const std::string& resume) const;
  void start();

  double compute_gradients(std::int64_t step);
  UpdateMetrics update(std::int64_t step);
  void log(const UpdateMetrics& metrics) const;
  /// The last line: what was planned beside the most that any rank took.
  void log_memory() const;
  void evaluate_now(std::int64_t step);
  void save(std::int64_t steps_done);
  bool is_due(std::int64_t interval, std::int64_t steps_done) const;
  bool is_root() const { return communicator_.rank() == 0; }

  Configuration configuration_;
  Communicator<MpiSpace>& communicator_;
  Space space_;
  std::shared_ptr<const TokenFile> train_;
  std::unique_ptr<const TokenFile> validation_;
  std::unique_ptr<TokenStream> stream_;
  std::optional<CheckpointFile> checkpoint_;
  Plan plan_;
  std::optional<Arena<Space>> arena_;
  std::optional<Llama<Space, float>> model_;
  std::optional<Optimizer<Space, float>> optimizer_;
  std::unique_ptr<MetricsFile> metrics_;
  std::int64_t first_step_ = 0;
  double seconds_trained_ = 0.0;
};

}  // namespace Sward
