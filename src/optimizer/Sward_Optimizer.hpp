#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "Sward_GatheredWeights.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_GrassParameter.hpp"
#include "Sward_LayerMessage.hpp"
#include "Sward_OptimizerOptions.hpp"
#include "Sward_ParameterInfo.hpp"
#include "Sward_ParameterOptimizer.hpp"
#include "Sward_ScatteredGradients.hpp"
#include "Sward_SharedUpdates.hpp"
#include "Sward_SquaredNorms.hpp"

namespace Sward {

/// Bytes that one layer gives to collectives in an update: a regular one, and one with a refresh.
struct MessageSize {
  std::string layer;
  std::size_t regular = 0;
  std::size_t refresh = 0;
};

/// The sink behind the model: one ParameterOptimizer a parameter, one message a layer.
///
/// An update is begin_update, one backward pass per micro-batch, finish_gradients, apply. With `updates_at_once` the
/// backward pass already changes the weights.
template <class ExecutionSpace, class Scalar>
class Optimizer : public GradientSink<ExecutionSpace, Scalar> {
 public:
  using typename GradientSink<ExecutionSpace, Scalar>::ConstMatrix;
  using typename GradientSink<ExecutionSpace, Scalar>::DenseGradient;
  using typename GradientSink<ExecutionSpace, Scalar>::GradientMatrix;
  using typename GradientSink<ExecutionSpace, Scalar>::Matrix;
  using typename GradientSink<ExecutionSpace, Scalar>::Slice;

  /// `weights` in the order of `parameters`, with padding of zeros if there is any; `tokens` is the most that one
  /// accept_factors call brings.
  Optimizer(Arena<ExecutionSpace>& arena, const std::vector<ParameterInfo>& parameters,
            const std::vector<Matrix>& weights, std::size_t tokens, const OptimizerOptions& options,
            ProcessGroup& communicator);

  // The parameters refer to the workspace inside.
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  ~Optimizer() override = default;

  /// Zeroes all state, for a run that starts afresh.
  void initialize(const ExecutionSpace& space);

  /// The learning rate is that of the schedule.
  void begin_update(const ExecutionSpace& space, std::int64_t step, int micro_batches, double learning_rate);
  bool sends_embedding_rows() const { return options_.embedding_rows > 0; }
  /// With `embedding_rows`, after begin_update: the tokens that occur in the inputs of the update on any rank, each
  /// once, the same on all ranks. Waits for the instance.
  void set_embedding_rows(const std::vector<int>& tokens);
  void accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) override;
  Slice wanted_columns(int parameter, GradientFactor factor, std::size_t tokens) override;
  void accept_columns(std::span<const int> parameters, ConstMatrix other) override;
  DenseGradient dense_gradient(int parameter) override;
  void complete(int parameter) override;
  /// The whole gradient of a parameter in the update under way, rows x columns: in place of everything else for it, and
  /// complete in all micro-batches.
  void accept_gradient(int parameter, typename GradientMatrix::const_type gradient);

  /// Whether the update under way, or the last one, chooses rows: in every refresh_interval-th, and in the one after a
  /// refresh whose update was not applied.
  bool refreshes() const { return refreshing_; }
  /// Lets what is queued from now on wait for all messages; the gradients are then the sums over ranks and
  /// micro-batches.
  void finish_messages();
  /// Behind finish_messages, which it calls first: the norm of the gradients, for which it waits.
  GradientNorm finish_gradients();
  /// Applies what has not been applied at once; clips if asked to. Asynchronous.
  void apply(double gradient_norm);
  /// In place of apply: weights and state stay as they were, but for moments that a refresh has set to zero, and the
  /// next update makes up for a refresh. Asynchronous.
  void skip();

  /// Bytes of gradients, and of weights where ranks share updates or weights, that this rank has given to collectives
  /// since begin_update.
  std::size_t communicated_bytes() const { return communicated_bytes_ + (gathered_ ? gathered_->gathered_bytes() : 0); }
  /// The most that an update will give to collectives: a regular one, or one with a refresh. Less only where rows of
  /// the embedding's gradient are sent.
  std::size_t planned_bytes(bool refresh) const;
  /// The same by layer, in the order of the parameters.
  std::vector<MessageSize> planned_messages() const;
  /// The most that a single collective sums or gathers.
  std::size_t largest_collective_bytes() const;

  /// What rank 0 takes on the host, when states that ranks share are saved: the largest moment and a part of it.
  std::size_t gathered_state_bytes() const;

  /// Whether the update of a step replaces all state of a parameter, so that none is needed to go on there.
  bool replaces_state(const std::string& parameter, std::int64_t step) const;
  /// Visits the state of every parameter; names are those of the parameters.
  void visit_state(const std::string& parameter, StateVisitor<ExecutionSpace, Real<Scalar>>& visitor);
  /// Of a model that stores its weights by group; null where ranks do not share weights.
  WeightSource<ExecutionSpace>* weight_source() { return gathered_ ? &*gathered_ : nullptr; }
  /// The ranks that work together.
  const ProcessGroup& group() const { return communicator_; }
  /// The optimizer of one parameter by its number.
  const ParameterOptimizer<ExecutionSpace, Scalar>& parameter(int number) const {
    return *states_[static_cast<std::size_t>(number)];
  }

 private:
  using State = ParameterOptimizer<ExecutionSpace, Scalar>;
  using Message = LayerMessage<ExecutionSpace, Real<Scalar>>;
  using Doubles = Kokkos::View<double*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  void plan_workspace(Arena<ExecutionSpace>& arena, const std::vector<Matrix>& weights, std::size_t tokens);
  void plan_messages(Arena<ExecutionSpace>& arena);
  void plan_form(Arena<ExecutionSpace>& arena, Message& message, const ParameterInfo& first_parameter);
  std::size_t most_blocks_of_a_message() const;
  Rounding rounding_of(std::size_t parameter) const;
  State& state_for(int parameter);
  void finish_choice();
  void count_in_message(std::size_t parameter);
  void take_squared_norms(std::size_t message);
  void update_message(std::size_t message);
  void add_updates(std::size_t message, double gradient_scale, MessageUpdate<ExecutionSpace, Scalar>& updates);
  Doubles squares_of(std::size_t message) const;
  void plan_shared_updates(Arena<ExecutionSpace>& arena);
  void plan_shared_weights(Arena<ExecutionSpace>& arena);
  bool shares_weights() const { return options_.shard.shares_weights(); }
  bool shares_gradient_memory(std::size_t message) const;
  std::size_t start_message(std::size_t message);
  std::size_t message_bytes(std::size_t message) const;
  int fetches_of(std::size_t message) const;
  bool is_projected(const ParameterInfo& parameter) const;
  bool is_refresh(std::int64_t step) const;
  bool is_regular_refresh(std::int64_t step) const;

  std::vector<ParameterInfo> parameters_;
  OptimizerOptions options_;
  ProcessGroup& communicator_;
  GrassWorkspace<ExecutionSpace, Scalar> workspace_;
  std::vector<std::unique_ptr<State>> states_;
  std::optional<std::size_t> choosing_;  ///< the parameter whose whole gradient is being summed over ranks
  std::vector<Message> messages_;        ///< by group of parameters
  ParameterGroups groups_;
  /// By message: of the gradients of its parameters, whose numbers follow each other.
  std::vector<std::vector<std::size_t>> part_lengths_;
  Doubles squares_;
  Doubles partial_squares_;
  typename MessageUpdate<ExecutionSpace, Scalar>::Squares block_squares_;  ///< of one message that is updated at once
  std::vector<double> host_squares_;
  SharedUpdates<ExecutionSpace, Scalar> shared_updates_;
  std::optional<GatheredWeights<ExecutionSpace, Scalar>> gathered_;            ///< where ranks share weights
  std::optional<ScatteredGradients<ExecutionSpace, Real<Scalar>>> scattered_;  ///< in that case
  typename Arena<ExecutionSpace>::template VectorView<int> embedding_rows_;    ///< that occur in the update
  ExecutionSpace space_;
  std::size_t communicated_bytes_ = 0;
  std::int64_t step_ = 0;
  int micro_batches_ = 1;
  double learning_rate_ = 0.0;
  bool refreshing_ = false;
};

}  // namespace Sward
