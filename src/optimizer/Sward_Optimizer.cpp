#include "Sward_Optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "Sward_DenseParameter.hpp"

namespace Sward {

template <class ExecutionSpace, class Scalar>
Optimizer<ExecutionSpace, Scalar>::Optimizer(Arena<ExecutionSpace>& arena, const std::vector<ParameterInfo>& parameters,
                                             const std::vector<Matrix>& weights, std::size_t tokens,
                                             const OptimizerOptions& options, ProcessGroup& communicator)
    : parameters_(parameters),
      options_(options),
      communicator_(communicator),
      host_squares_(parameters.size()),
      sharded_(options.shard) {
  plan_workspace(arena, weights, tokens);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const ParameterInfo& parameter = parameters[i];
    AdamConstants adam = options.adam;
    if (parameter.kind == ParameterKind::norm) adam.weight_decay = 0.0;
    if (is_projected(parameter)) {
      states_.push_back(std::make_unique<GrassParameter<ExecutionSpace, Scalar>>(
          arena, parameter, static_cast<int>(i), weights[i], adam, options.grass_constants, options.shard, workspace_,
          communicator));
    } else {
      states_.push_back(
          std::make_unique<DenseParameter<ExecutionSpace, Scalar>>(arena, parameter, weights[i], adam, options.shard));
    }
  }
  plan_messages(arena);
  plan_sharing(arena);
  squares_ = arena.template vector<double>("squared gradient norms", BlockKind::workspace, parameters.size());
  partial_squares_ =
      arena.template vector<double>("partial squared norms", BlockKind::workspace, part_sums_workspace<ExecutionSpace>);
  if (options.updates_at_once)
    block_squares_ =
        arena.template vector<Real<Scalar>>("squares of blocks", BlockKind::workspace, most_blocks_of_a_message());
}

template <class ExecutionSpace, class Scalar>
bool Optimizer<ExecutionSpace, Scalar>::is_projected(const ParameterInfo& parameter) const {
  const auto& kinds = options_.projected;
  return options_.grass && std::find(kinds.begin(), kinds.end(), parameter.kind) != kinds.end();
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_workspace(Arena<ExecutionSpace>& arena, const std::vector<Matrix>& weights,
                                                       std::size_t tokens) {
  std::size_t largest = 0;
  std::size_t extent = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (!is_projected(parameters_[i])) continue;
    const Side side = selected_side(options_.grass_constants.side, parameters_[i]);
    // A measuring arena's views have extents but no data, and to Kokkos their size is then 0.
    largest = std::max(largest, weights[i].extent(0) * weights[i].extent(1));
    extent = std::max(extent, weights[i].extent(side == Side::rows ? 0 : 1));
  }
  if (largest == 0) return;
  const std::size_t rank = std::min(static_cast<std::size_t>(options_.grass_constants.rank), extent);
  constexpr BlockKind workspace = BlockKind::workspace;
  workspace_.full_gradient = arena.template vector<Real<Scalar>>("refresh gradient", workspace, largest);
  workspace_.gathered = GatheredFactors<ExecutionSpace, Scalar>(arena, tokens, rank);
  workspace_.norms = arena.template vector<double>("gradient norms", workspace, extent);
  workspace_.selection = {arena.template vector<std::uint64_t>("selection keys", workspace, extent),
                          arena.template vector<int>("selection counts", workspace, extent)};
}

namespace {

/// The message that a parameter's gradient is part of: a block by its number; the embedding and the head with the final
/// norm are messages of their own.
std::string message_label(const ParameterInfo& parameter) {
  if (parameter.layer >= 0) return "layer " + std::to_string(parameter.layer);
  return parameter.kind == ParameterKind::embedding ? "embedding" : "head";
}

/// Whether the embedding is the head too: its gradient then grows from the first part of a backward pass to the last.
bool is_tied(const std::vector<ParameterInfo>& parameters) {
  return std::none_of(parameters.begin(), parameters.end(),
                      [](const ParameterInfo& parameter) { return parameter.kind == ParameterKind::head; });
}

}  // namespace

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_messages(Arena<ExecutionSpace>& arena) {
  std::vector<std::string> labels;
  std::map<std::string, std::vector<std::size_t>> members;
  std::map<std::string, std::size_t> sizes;
  message_of_.resize(parameters_.size());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string label = message_label(parameters_[i]);
    if (members[label].empty()) labels.push_back(label);
    // The squared norms of a message's parameters are taken together.
    require(members[label].empty() || members[label].back() + 1 == i, "Sward::Optimizer",
            "the parameters of " + label + " must follow each other");
    members[label].push_back(i);
    message_of_[i] = labels.size() - 1;
    const auto [rows, columns] = states_[i]->gradient_extents();
    sizes[label] += rows * columns;
  }
  const auto shares = [&](const std::string& label) {
    return options_.updates_at_once && !(label == "embedding" && is_tied(parameters_));
  };
  std::size_t largest = 0;
  for (const std::string& label : labels)
    if (shares(label)) largest = std::max(largest, sizes[label]);
  typename Message::Vector shared;
  if (largest > 0) shared = arena.template vector<Real<Scalar>>("gradients of a layer", BlockKind::gradient, largest);
  for (const std::string& label : labels) {
    auto gradients = shared;
    if (!shares(label))
      gradients = arena.template vector<Real<Scalar>>(label + " gradients", BlockKind::gradient, sizes[label]);
    messages_.emplace_back(label, typename Message::Vector(gradients.data(), sizes[label]),
                           static_cast<int>(members[label].size()));
    Real<Scalar>* data = gradients.data();
    VectorParts parts;
    for (const std::size_t i : members[label]) {
      const auto [rows, columns] = states_[i]->gradient_extents();
      parts.add(rows * columns);
      states_[i]->set_gradient(GradientMatrix(data, rows, columns));
      if (data != nullptr) data += rows * columns;
    }
    parts_.push_back(parts);
    plan_form(arena, messages_.back(), parameters_[members[label].front()]);
  }
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_sharing(Arena<ExecutionSpace>& arena) {
  for (const Message& message : messages_) sharded_.add_layer(message.label());
  for (std::size_t i = 0; i < states_.size(); ++i)
    if (const auto shares = states_[i]->weight_shares()) sharded_.add(message_of_[i], *shares);
  sharded_.plan(arena);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_form(Arena<ExecutionSpace>& arena, Message& message,
                                                  const ParameterInfo& first_parameter) {
  const bool as_rows = options_.embedding_rows > 0 && first_parameter.kind == ParameterKind::embedding;
  require(!as_rows || !is_tied(parameters_), "Sward::Optimizer",
          "the gradient of an embedding that is the head too has no rows of zeros to leave out");
  if (as_rows)
    embedding_rows_ = arena.template vector<int>("embedding rows", BlockKind::workspace, options_.embedding_rows);
  if (as_rows || options_.bfloat16_messages)
    message.plan_form(arena, {options_.bfloat16_messages, as_rows}, static_cast<std::size_t>(first_parameter.columns),
                      options_.embedding_rows);
}

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
std::size_t Optimizer<ExecutionSpace, Scalar>::most_blocks_of_a_message() const {
  std::vector<std::size_t> blocks(messages_.size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const auto [rows, columns] = states_[i]->gradient_extents();
    blocks[message_of_[i]] += rows * static_cast<std::size_t>(blocks_of(static_cast<int>(columns)));
  }
  return *std::max_element(blocks.begin(), blocks.end());
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
  space_ = space;
  step_ = step;
  learning_rate_ = learning_rate;
  communicated_bytes_ = 0;
  for (Message& message : messages_) message.begin_update(micro_batches);
  workspace_.gathered.give_back_all();  // a pass that an exception ended may have some
  refreshing_ = is_refresh(step);
  for (auto& state : states_) state->begin_update(space, step, refreshing_);
  if (refreshing_)
    for (const auto& state : states_) communicated_bytes_ += state->refresh_elements() * sizeof(Real<Scalar>);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) {
  states_[static_cast<std::size_t>(parameter)]->accept_factors(space_, output_gradient, input);
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::wanted_columns(int parameter, GradientFactor factor, std::size_t tokens)
    -> Slice {
  return states_[static_cast<std::size_t>(parameter)]->wanted_columns(factor, tokens);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::accept_columns(int parameter, ConstMatrix other) {
  states_[static_cast<std::size_t>(parameter)]->accept_columns(space_, other);
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::dense_gradient(int parameter) -> DenseGradient {
  return states_[static_cast<std::size_t>(parameter)]->dense_gradient();
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::complete(int parameter) {
  const auto index = static_cast<std::size_t>(parameter);
  states_[index]->complete(space_);
  Message& message = messages_[message_of_[index]];
  if (const auto sent = message.complete_parameter(space_, communicator_); sent.started) {
    communicated_bytes_ += sent.bytes;
    if (options_.updates_at_once) update_message(message_of_[index]);
  }
  communicator_.progress();
}

template <class ExecutionSpace, class Scalar>
GradientNorm Optimizer<ExecutionSpace, Scalar>::finish_gradients() {
  communicator_.wait(space_);
  for (Message& message : messages_) message.finish(space_);
  for (std::size_t i = 0; i < messages_.size() && !options_.updates_at_once; ++i) take_squared_norms(i);
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
    sharded_.exchange(space_, message, communicator_);
    communicated_bytes_ += sharded_.bytes(message);
  }
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::squares_of(std::size_t message) const -> Doubles {
  const auto first =
      static_cast<std::size_t>(std::find(message_of_.begin(), message_of_.end(), message) - message_of_.begin());
  return Kokkos::subview(squares_, std::pair(first, first + static_cast<std::size_t>(parts_[message].count)));
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::take_squared_norms(std::size_t message) {
  squared_norms(space_, messages_[message].gradients(), parts_[message], partial_squares_, squares_of(message));
}

/// The gradients of a message are complete, and nothing else needs them; the update reads them for their norms too.
template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::update_message(std::size_t message) {
  MessageUpdate<ExecutionSpace, Scalar> updates(space_, block_squares_);
  add_updates(message, 1.0, updates);
  updates.launch();
  part_sums(space_, Kokkos::subview(block_squares_, std::pair(std::size_t{0}, updates.parts().extent())),
            updates.parts(), partial_squares_, squares_of(message));
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::add_updates(std::size_t message, double gradient_scale,
                                                    MessageUpdate<ExecutionSpace, Scalar>& updates) {
  for (std::size_t i = 0; i < states_.size(); ++i)
    if (message_of_[i] == message) states_[i]->update({learning_rate_, gradient_scale, rounding_of(i)}, updates);
}

template <class ExecutionSpace, class Scalar>
Rounding Optimizer<ExecutionSpace, Scalar>::rounding_of(std::size_t parameter) const {
  // Selections draw from the streams with the parameters' own numbers.
  constexpr std::uint32_t above_selections = std::uint32_t{1} << 31;
  return {options_.stochastic_rounding, Draw{options_.seed, static_cast<std::uint64_t>(step_),
                                             static_cast<std::uint32_t>(parameter) | above_selections}};
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::planned_bytes(bool refresh) const {
  std::size_t bytes = 0;
  for (const MessageSize& message : planned_messages()) bytes += refresh ? message.refresh : message.regular;
  return bytes;
}

template <class ExecutionSpace, class Scalar>
bool Optimizer<ExecutionSpace, Scalar>::is_refresh(std::int64_t step) const {
  return options_.grass &&
         (step % options_.grass_constants.refresh_interval == 0 ||
          std::any_of(states_.begin(), states_.end(), [](const auto& s) { return s->needs_refresh(); }));
}

template <class ExecutionSpace, class Scalar>
std::vector<MessageSize> Optimizer<ExecutionSpace, Scalar>::planned_messages() const {
  std::vector<MessageSize> sizes;
  for (const Message& message : messages_) {
    const std::size_t bytes = message.largest_bytes() + sharded_.bytes(sizes.size());
    sizes.push_back({message.label(), bytes, bytes});
  }
  for (std::size_t i = 0; i < states_.size(); ++i)
    sizes[message_of_[i]].refresh += states_[i]->refresh_elements() * sizeof(Real<Scalar>);
  return sizes;
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::largest_collective_bytes() const {
  std::size_t largest = sharded_.largest_bytes();
  for (const Message& message : messages_) largest = std::max(largest, message.largest_bytes());
  for (const auto& state : states_) largest = std::max(largest, state->refresh_elements() * sizeof(Real<Scalar>));
  return largest;
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::gathered_state_bytes() const {
  const StateType type = options_.adam.state;
  const std::size_t element = type == StateType::full ? sizeof(Real<Scalar>) : type == StateType::bfloat16 ? 2 : 1;
  const std::size_t whole = element * sharded_.largest_weight();
  return whole + whole / static_cast<std::size_t>(options_.shard.ranks);
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
