#include "Sward_Optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace Sward {

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::set_embedding_rows(const std::vector<int>& tokens) {
  require(tokens.size() <= options_.embedding_rows, "Sward::Optimizer::set_embedding_rows",
          std::to_string(tokens.size()) + " rows, planned for " + std::to_string(options_.embedding_rows));
  using HostView =
      Kokkos::View<const int*, Kokkos::LayoutRight, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  const typename Message::Rows rows(embedding_rows_.data(), tokens.size());
  Kokkos::deep_copy(space_, Kokkos::subview(embedding_rows_, std::pair<std::size_t, std::size_t>(0, tokens.size())),
                    HostView(tokens.data(), tokens.size()));
  space_.fence("Sward::Optimizer::set_embedding_rows");
  for (Message& message : messages_)
    if (message.sends_rows()) message.set_rows(rows);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::initialize(const ExecutionSpace& space) {
  for (auto& state : states_) state->initialize(space);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::begin_update(const ExecutionSpace& space, std::int64_t step, int micro_batches,
                                                     double learning_rate) {
  require(!options_.updates_at_once || (micro_batches == 1 && communicator_.size() == 1 && options_.clip == 0),
          "Sward::Optimizer::begin_update", "layers are updated at once, which is for one pass on one rank, unclipped");
  require(options_.shard.ranks == 1 || options_.shard.ranks == communicator_.size(), "Sward::Optimizer::begin_update",
          "states are shared by " + std::to_string(options_.shard.ranks) + " ranks, of which there are " +
              std::to_string(communicator_.size()));
  require(!shares_weights() || micro_batches == options_.micro_batches, "Sward::Optimizer::begin_update",
          std::to_string(micro_batches) + " micro-batches, planned for " + std::to_string(options_.micro_batches));
  space_ = space;
  step_ = step;
  micro_batches_ = micro_batches;
  learning_rate_ = learning_rate;
  communicated_bytes_ = 0;
  if (gathered_) gathered_->begin_update(space);
  for (Message& message : messages_) message.begin_update(micro_batches);
  workspace_.gathered.give_back_all();  // a pass that an exception ended may have some
  choosing_.reset();                    // and may have started a choice
  refreshing_ = is_refresh(step);
  for (auto& state : states_) state->begin_update(space, step, refreshing_);
  if (refreshing_)
    for (const auto& state : states_) communicated_bytes_ += state->refresh_elements() * sizeof(Real<Scalar>);
}

/// Behind a choice of rows that is under way, unless it is of another matrix of the same layer: the gradients of a
/// layer may lie where those of the one above were.
template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::state_for(int parameter) -> State& {
  const auto index = static_cast<std::size_t>(parameter);
  if (choosing_ && (*choosing_ == index || groups_.of[*choosing_] != groups_.of[index])) finish_choice();
  return *states_[index];
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) {
  state_for(parameter).accept_factors(space_, output_gradient, input);
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::wanted_columns(int parameter, GradientFactor factor, std::size_t tokens)
    -> Slice {
  return state_for(parameter).wanted_columns(factor, tokens);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::accept_columns(std::span<const int> parameters, ConstMatrix other) {
  std::optional<ColumnProduct<ExecutionSpace, Scalar>> product;
  for (const int parameter : parameters) {
    const auto next = state_for(parameter).take_columns();
    if (product && product->take_in(next)) continue;
    if (product) product->multiply(space_, other);
    product = next;
  }
  if (product) product->multiply(space_, other);
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::dense_gradient(int parameter) -> DenseGradient {
  return state_for(parameter).dense_gradient();
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::complete(int parameter) {
  const auto index = static_cast<std::size_t>(parameter);
  if (state_for(parameter).start_choice(space_)) {
    finish_choice();
    choosing_ = index;
    if (!options_.overlaps_refresh) finish_choice();
  } else {
    count_in_message(index);
  }
  communicator_.progress();
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::accept_gradient(int parameter, typename GradientMatrix::const_type gradient) {
  state_for(parameter).accept_gradient(space_, gradient);
  for (int pass = 0; pass < micro_batches_; ++pass) complete(parameter);
}

/// Of the parameter whose choice was started last, if it is still to be finished.
template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::finish_choice() {
  if (!choosing_) return;
  const std::size_t parameter = *std::exchange(choosing_, std::nullopt);
  states_[parameter]->finish_choice(space_);
  count_in_message(parameter);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::count_in_message(std::size_t parameter) {
  const std::size_t message = groups_.of[parameter];
  if (!messages_[message].complete_parameter()) return;
  communicated_bytes_ += start_message(message);
  if (!options_.updates_at_once) return;
  communicator_.wait(space_);
  update_message(message);
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::start_message(std::size_t message) {
  if (!scattered_) return messages_[message].start(space_, communicator_);
  scattered_->start(space_, message, communicator_);
  return scattered_->bytes(message);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::finish_messages() {
  finish_choice();
  communicator_.wait(space_);
  for (std::size_t i = 0; i < messages_.size(); ++i)
    scattered_ ? scattered_->finish(space_, i) : messages_[i].finish(space_);
}

template <class ExecutionSpace, class Scalar>
GradientNorm Optimizer<ExecutionSpace, Scalar>::finish_gradients() {
  finish_messages();
  for (std::size_t i = 0; i < messages_.size() && !options_.updates_at_once; ++i) take_squared_norms(i);
  if (scattered_) communicator_.all_reduce(space_, squares_, "the squared norms of gradients");
  using HostView =
      Kokkos::View<double*, Kokkos::LayoutRight, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  Kokkos::deep_copy(space_, HostView(host_squares_.data(), host_squares_.size()), squares_);
  space_.fence("Sward::Optimizer::finish_gradients");
  communicator_.progress();

  GradientNorm result;
  double sum = 0.0;
  for (std::size_t i = 0; i < host_squares_.size(); ++i) {
    sum += host_squares_[i];
    if (!std::isfinite(host_squares_[i]) && result.nonfinite_parameter.empty())
      result.nonfinite_parameter = parameters_[i].name;
  }
  result.norm = std::sqrt(sum);
  return result;
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::apply(double gradient_norm) {
  if (options_.updates_at_once) return;
  const bool too_long = options_.clip > 0.0 && gradient_norm > options_.clip;
  const double gradient_scale = too_long ? options_.clip / gradient_norm : 1.0;
  for (std::size_t message = 0; message < messages_.size(); ++message) {
    MessageUpdate<ExecutionSpace, Scalar> updates(space_);
    add_updates(message, gradient_scale, updates);
    updates.launch();
    shared_updates_.exchange(space_, message, communicator_);
    communicated_bytes_ += shared_updates_.bytes(message);
  }
  if (gathered_) gathered_->forget(space_);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::skip() {
  for (const auto& state : states_) state->skip_update(space_);
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::squares_of(std::size_t message) const -> Doubles {
  const auto first =
      static_cast<std::size_t>(std::find(groups_.of.begin(), groups_.of.end(), message) - groups_.of.begin());
  return Kokkos::subview(squares_, std::pair(first, first + part_lengths_[message].size()));
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::take_squared_norms(std::size_t message) {
  const auto gradients = scattered_ ? scattered_->own(message) : messages_[message].gradients();
  const Doubles squares = squares_of(message);
  for_each_launch(part_lengths_[message], [&](const VectorParts& parts, const auto& elements, const auto& numbers) {
    squared_norms(space_, Kokkos::subview(gradients, elements), parts, partial_squares_,
                  Kokkos::subview(squares, numbers));
  });
}

/// The gradients of a message are complete, and nothing else needs them; the update reads them for their norms too.
template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::update_message(std::size_t message) {
  MessageUpdate<ExecutionSpace, Scalar> updates(space_, block_squares_);
  add_updates(message, 1.0, updates);
  updates.launch();
  const Doubles squares = squares_of(message);
  for_each_launch(updates.blocks(), [&](const VectorParts& parts, const auto& blocks, const auto& numbers) {
    part_sums(space_, Kokkos::subview(block_squares_, blocks), parts, partial_squares_,
              Kokkos::subview(squares, numbers));
  });
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::add_updates(std::size_t message, double gradient_scale,
                                                    MessageUpdate<ExecutionSpace, Scalar>& updates) {
  for (std::size_t i = 0; i < states_.size(); ++i)
    if (groups_.of[i] == message) states_[i]->update({learning_rate_, gradient_scale, rounding_of(i)}, updates);
}

template <class ExecutionSpace, class Scalar>
Rounding Optimizer<ExecutionSpace, Scalar>::rounding_of(std::size_t parameter) const {
  // Selections draw from the streams with the parameters' own numbers.
  constexpr std::uint32_t above_selections = std::uint32_t{1} << 31;
  return {options_.stochastic_rounding, Draw{options_.seed, static_cast<std::uint64_t>(step_),
                                             static_cast<std::uint32_t>(parameter) | above_selections}};
}

template <class ExecutionSpace, class Scalar>
bool Optimizer<ExecutionSpace, Scalar>::is_regular_refresh(std::int64_t step) const {
  return options_.grass && step % options_.grass_constants.refresh_interval == 0;
}

template <class ExecutionSpace, class Scalar>
bool Optimizer<ExecutionSpace, Scalar>::is_refresh(std::int64_t step) const {
  return is_regular_refresh(step) ||
         std::any_of(states_.begin(), states_.end(), [](const auto& s) { return s->needs_refresh(); });
}

template <class ExecutionSpace, class Scalar>
bool Optimizer<ExecutionSpace, Scalar>::replaces_state(const std::string& parameter, std::int64_t step) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (parameters_[i].name == parameter) return is_regular_refresh(step) && states_[i]->forgets_at_refresh();
  return false;
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::visit_state(const std::string& parameter,
                                                    StateVisitor<ExecutionSpace, Real<Scalar>>& visitor) {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (parameters_[i].name == parameter) states_[i]->visit_state(visitor);
}

template class Optimizer<Kokkos::DefaultExecutionSpace, float>;
#ifndef KOKKOS_ENABLE_CUDA  // references in tests run on hosts
template class Optimizer<Kokkos::DefaultExecutionSpace, double>;
#endif
template class Optimizer<Kokkos::DefaultExecutionSpace, BFloat16>;

}  // namespace Sward
