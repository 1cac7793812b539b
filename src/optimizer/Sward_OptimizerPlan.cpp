#include <algorithm>

#include "Sward_DenseParameter.hpp"
#include "Sward_Optimizer.hpp"

namespace Sward {

template <class ExecutionSpace, class Scalar>
Optimizer<ExecutionSpace, Scalar>::Optimizer(Arena<ExecutionSpace>& arena, const std::vector<ParameterInfo>& parameters,
                                             const std::vector<Matrix>& weights, std::size_t tokens,
                                             const OptimizerOptions& options, ProcessGroup& communicator)
    : parameters_(parameters),
      options_(options),
      communicator_(communicator),
      groups_(group_parameters(parameters)),
      host_squares_(parameters.size()),
      shared_updates_(options.shard) {
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
  shares_weights() ? plan_shared_weights(arena) : plan_shared_updates(arena);
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
  for (int i = 0; i < (options_.overlaps_refresh ? 2 : 1); ++i)
    workspace_.full_gradients.push_back(arena.template vector<Real<Scalar>>("refresh gradient", workspace, largest));
  workspace_.gathered = GatheredFactors<ExecutionSpace, Scalar>(arena, tokens, rank);
  workspace_.norms = arena.template vector<double>("gradient norms", workspace, extent);
  workspace_.selection = {arena.template vector<std::uint64_t>("selection keys", workspace, extent),
                          arena.template vector<int>("selection counts", workspace, extent)};
}

/// Not the gradient of an embedding that is the head too: it grows from the first part of a backward pass to the last.
template <class ExecutionSpace, class Scalar>
bool Optimizer<ExecutionSpace, Scalar>::shares_gradient_memory(std::size_t message) const {
  const bool is_done_at_once = options_.updates_at_once || (shares_weights() && options_.micro_batches == 1);
  return is_done_at_once && !(messages_[message].label() == "embedding" && is_tied(parameters_));
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_messages(Arena<ExecutionSpace>& arena) {
  std::vector<std::size_t> sizes(groups_.labels.size());
  std::vector<int> members(groups_.labels.size());
  part_lengths_.resize(groups_.labels.size());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto [rows, columns] = states_[i]->gradient_extents();
    const std::size_t message = groups_.of[i];
    sizes[message] += rows * columns;
    part_lengths_[message].push_back(rows * columns);
    ++members[message];
  }
  for (std::size_t m = 0; m < sizes.size(); ++m) messages_.emplace_back(groups_.labels[m], members[m]);
  std::size_t largest = 0;
  for (std::size_t m = 0; m < sizes.size(); ++m)
    if (shares_gradient_memory(m)) largest = std::max(largest, sizes[m]);
  typename Message::Vector shared;
  if (largest > 0) shared = arena.template vector<Real<Scalar>>("gradients of a layer", BlockKind::gradient, largest);
  std::size_t parameter = 0;
  for (std::size_t m = 0; m < sizes.size(); ++m) {
    auto gradients = shared;
    if (!shares_gradient_memory(m))
      gradients = arena.template vector<Real<Scalar>>(groups_.labels[m] + " gradients", BlockKind::gradient, sizes[m]);
    messages_[m].set_gradients(typename Message::Vector(gradients.data(), sizes[m]));
    if (!shares_weights()) plan_form(arena, messages_[m], parameters_[parameter]);
    Real<Scalar>* data = gradients.data();
    for (const std::size_t end = parameter + static_cast<std::size_t>(members[m]); parameter < end; ++parameter) {
      const auto [rows, columns] = states_[parameter]->gradient_extents();
      states_[parameter]->set_gradient(GradientMatrix(data, rows, columns));
      if (data != nullptr) data += rows * columns;
    }
  }
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_shared_updates(Arena<ExecutionSpace>& arena) {
  for (const Message& message : messages_) shared_updates_.add_layer(message.label());
  for (std::size_t i = 0; i < states_.size(); ++i)
    if (const auto shares = states_[i]->weight_shares()) shared_updates_.add(groups_.of[i], *shares);
  shared_updates_.plan(arena);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_shared_weights(Arena<ExecutionSpace>& arena) {
  require(options_.embedding_rows == 0, "Sward::Optimizer", "shares of gradients are sent whole, not as rows");
  gathered_.emplace(options_.shard, communicator_);
  scattered_.emplace(options_.shard, options_.bfloat16_messages);
  std::size_t message = 0;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    if (i == 0 || groups_.of[i] != message) {
      message = groups_.of[i];
      gathered_->add_group(groups_.labels[message]);
      scattered_->add_layer(groups_.labels[message]);
      part_lengths_[message].clear();
    }
    const auto gradient = whole_shares<ExecutionSpace>(states_[i]->gradient(), states_[i]->split());
    gathered_->add(whole_shares<ExecutionSpace>(states_[i]->weight(), states_[i]->split()));
    scattered_->add(gradient);
    part_lengths_[message].push_back(gradient.piece_size());
  }
  gathered_->plan(arena);
  scattered_->plan(arena);
  std::size_t parameter = 0;
  for (std::size_t m = 0; m < messages_.size(); ++m) {
    const auto weights = gathered_->parts(m);
    const auto gradients = scattered_->parts(m);
    for (std::size_t k = 0; k < weights.size(); ++k) states_[parameter++]->set_parts(weights[k], gradients[k]);
  }
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
std::size_t Optimizer<ExecutionSpace, Scalar>::most_blocks_of_a_message() const {
  std::vector<std::size_t> blocks(messages_.size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const auto [rows, columns] = states_[i]->gradient_extents();
    blocks[groups_.of[i]] += rows * static_cast<std::size_t>(blocks_of(static_cast<int>(columns)));
  }
  return *std::max_element(blocks.begin(), blocks.end());
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::planned_bytes(bool refresh) const {
  std::size_t bytes = 0;
  for (const MessageSize& message : planned_messages()) bytes += refresh ? message.refresh : message.regular;
  return bytes;
}

/// How often an update of a model that stores its weights by group fetches those of one. All layers are in the same
/// memory, where the last one stays from the forward to the backward pass, and the first from there to the next forward
/// pass; embedding and head replace each other, unless they are the same.
template <class ExecutionSpace, class Scalar>
int Optimizer<ExecutionSpace, Scalar>::fetches_of(std::size_t message) const {
  const int passes = options_.micro_batches;
  const std::size_t last = messages_.size() - 1;
  if (message == 0 || message == last) return is_tied(parameters_) ? 1 : passes;
  const bool is_only_layer = last == 2;
  if (is_only_layer) return 1;
  return message == last - 1 ? passes : message == 1 ? passes + 1 : 2 * passes;
}

/// What a rank gives to the collectives of a message in a regular update, at the most.
template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::message_bytes(std::size_t message) const {
  if (!scattered_) return messages_[message].largest_bytes() + shared_updates_.bytes(message);
  return scattered_->bytes(message) + static_cast<std::size_t>(fetches_of(message)) * gathered_->bytes(message);
}

template <class ExecutionSpace, class Scalar>
std::vector<MessageSize> Optimizer<ExecutionSpace, Scalar>::planned_messages() const {
  std::vector<MessageSize> sizes;
  for (std::size_t i = 0; i < messages_.size(); ++i)
    sizes.push_back({messages_[i].label(), message_bytes(i), message_bytes(i)});
  for (std::size_t i = 0; i < states_.size(); ++i)
    sizes[groups_.of[i]].refresh += states_[i]->refresh_elements() * sizeof(Real<Scalar>);
  return sizes;
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::largest_collective_bytes() const {
  std::size_t largest = shared_updates_.largest_bytes();
  if (gathered_) largest = std::max({largest, gathered_->largest_bytes(), scattered_->largest_bytes()});
  for (const Message& message : messages_)
    if (!scattered_) largest = std::max(largest, message.largest_bytes());
  for (const auto& state : states_) largest = std::max(largest, state->refresh_elements() * sizeof(Real<Scalar>));
  return largest;
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::gathered_state_bytes() const {
  const auto ranks = static_cast<std::size_t>(options_.shard.ranks);
  std::size_t largest = 0;
  for (const auto& state : states_) {
    const MatrixSplit& split = state->split();
    largest = std::max(largest, ranks * split.share * (split.along == Side::rows ? split.columns : split.rows));
  }
  const StateType type = options_.adam.state;
  const std::size_t element = type == StateType::full ? sizeof(Real<Scalar>) : type == StateType::bfloat16 ? 2 : 1;
  const std::size_t whole = element * largest;
  return whole + whole / ranks;
}

template class Optimizer<Kokkos::DefaultExecutionSpace, float>;
#ifndef KOKKOS_ENABLE_CUDA  // references in tests run on hosts
template class Optimizer<Kokkos::DefaultExecutionSpace, double>;
#endif
template class Optimizer<Kokkos::DefaultExecutionSpace, BFloat16>;

}  // namespace Sward
