#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "Sward_Agreement.hpp"
#include "Sward_CheckpointFile.hpp"
#include "Sward_Configuration.hpp"
#include "Sward_Evaluation.hpp"
#include "Sward_FolderLock.hpp"
#include "Sward_Metrics.hpp"
#include "Sward_PendingCheckpoint.hpp"
#include "Sward_Plan.hpp"
#include "Sward_ResumePoint.hpp"
#include "Sward_Schedule.hpp"
#include "Sward_TokenStream.hpp"

namespace Sward {

/// Training cannot go on: a loss or gradient is not finite.
class TrainingError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// One training run on this rank: data, model, optimizer and output. Weights and activations are stored as Scalar,
/// which has to be what the configuration's precision asks for.
///
/// The constructor checks all that can be checked, and throws InputError before anything is written.
template <class Scalar>
class Trainer {
 public:
  using Space = Kokkos::DefaultExecutionSpace;

  /// `resume`: empty, "auto" for the newest checkpoint of the output directory, or a checkpoint's path. `report` is
  /// told of logged updates, evaluations and checkpoints.
  Trainer(const Configuration& configuration, const std::string& resume, ProcessGroup& communicator,
          Report report = {});

  /// Memory and messages, as planned before the first step.
  const Plan& plan() const { return plan_; }
  /// Trains to the last step; writes metrics, evaluations and checkpoints. Ends earlier, after a checkpoint, behind the
  /// update in which `stop_is_requested` has turned true on any rank. True if the last step was reached.
  /// Throws TrainingError.
  bool run(const std::function<bool()>& stop_is_requested);

 private:
  void open_data();
  Facts facts() const;
  void check_data() const;
  void start();
  bool train(const std::function<bool()>& stop_is_requested);

  std::vector<TokenBatch> read_batches(std::int64_t step);
  void read_ahead(std::int64_t step);
  double count_targets(std::int64_t step, const std::vector<TokenBatch>& batches) const;
  std::vector<int> occurring_tokens(const std::vector<TokenBatch>& batches) const;
  double compute_gradients(std::int64_t step);
  double learning_rate(std::int64_t step) const {
    return scheduled_learning_rate(configuration_.schedule, configuration_.learning_rate, step);
  }
  UpdateMetrics update(std::int64_t step);
  bool is_to_be_skipped(std::int64_t step, double loss, const GradientNorm& gradient) const;
  void tell(const std::string& line) const;
  void log(const UpdateMetrics& metrics) const;
  /// The last line: what was planned beside the most that any rank took.
  void log_memory() const;
  void evaluate_now(std::int64_t step);
  void save(std::int64_t steps_done);
  void finish_checkpoint();
  void finish();
  bool is_due(std::int64_t interval, std::int64_t steps_done) const;
  bool is_root() const { return communicator_.rank() == 0; }

  Configuration configuration_;
  ProcessGroup& communicator_;
  Report report_;
  Space space_;
  std::vector<TokenSource> train_;
  std::unique_ptr<const TokenFile> validation_;
  std::unique_ptr<TokenStream> stream_;
  std::vector<TokenBatch> next_batches_;  ///< of the update that comes next, on this rank
  std::optional<CheckpointFile> checkpoint_;
  Plan plan_;
  std::optional<Arena<Space>> arena_;
  std::optional<Llama<Space, Scalar>> model_;
  std::optional<Optimizer<Space, Scalar>> optimizer_;
  std::optional<FolderLock> lock_;  ///< of the output
  std::unique_ptr<MetricsFile> metrics_;
  std::optional<PendingCheckpoint> pending_;
  std::int64_t first_step_ = 0;
  double seconds_trained_ = 0.0;
  std::int64_t skipped_ = 0;
};

}  // namespace Sward
