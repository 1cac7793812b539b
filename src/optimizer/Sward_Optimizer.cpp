#include "Sward_Optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "Sward_DenseParameter.hpp"
#include "Sward_SquaredNorm.hpp"

namespace Sward {

template <class ExecutionSpace, class Scalar>
Optimizer<ExecutionSpace, Scalar>::Optimizer(Arena<ExecutionSpace>& arena, const std::vector<ParameterInfo>& parameters,
                                             const std::vector<Matrix>& weights, std::size_t tokens,
                                             const OptimizerOptions& options, Communicator<MpiSpace>& communicator)
    : parameters_(parameters), options_(options), communicator_(communicator), host_squares_(parameters.size()) {
  plan_workspace(arena, weights, tokens);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const ParameterInfo& parameter = parameters[i];
    AdamConstants adam = options.adam;
    if (parameter.kind == ParameterKind::norm) adam.weight_decay = 0.0;
    if (is_projected(parameter)) {
      states_.push_back(std::make_unique<GrassParameter<ExecutionSpace, Scalar>>(
          arena, parameter.name, static_cast<int>(i), weights[i], adam, options.grass_constants, workspace_,
          communicator));
    } else {
      states_.push_back(
          std::make_unique<DenseParameter<ExecutionSpace, Scalar>>(arena, parameter.name, weights[i], adam));
    }
  }
  plan_messages(arena);
  squares_ = arena.template vector<double>("squared gradient norms", BlockKind::workspace, parameters.size());
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
    const Side side = selected_side(options_.grass_constants.side, weights[i].extent(0), weights[i].extent(1));
    // A measuring arena's views have extents but no data, and to Kokkos their size is then 0.
    largest = std::max(largest, weights[i].extent(0) * weights[i].extent(1));
    extent = std::max(extent, weights[i].extent(side == Side::rows ? 0 : 1));
  }
  if (largest == 0) return;
  const std::size_t rank = std::min(static_cast<std::size_t>(options_.grass_constants.rank), extent);
  constexpr BlockKind workspace = BlockKind::workspace;
  workspace_.full_gradient = arena.template vector<Scalar>("refresh gradient", workspace, largest);
  workspace_.gathered = arena.template vector<Scalar>("gathered factor", workspace, tokens * rank);
  workspace_.norms = arena.template vector<double>("gradient norms", workspace, extent);
  workspace_.selection = {arena.template vector<double>("selection keys", workspace, extent),
                          arena.template vector<std::uint64_t>("selection weights", workspace, extent),
                          arena.template vector<int>("selection order", workspace, extent),
                          arena.template vector<int>("selection draws", workspace, rank),
                          arena.template vector<double>("largest norm", workspace, 1)};
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::plan_messages(Arena<ExecutionSpace>& arena) {
  // Blocks by their number; the embedding and the head with the final norm are messages of their own.
  const auto label_of = [](const ParameterInfo& parameter) {
    if (parameter.layer >= 0) return "layer " + std::to_string(parameter.layer);
    return std::string(parameter.kind == ParameterKind::embedding ? "embedding" : "head");
  };
  std::vector<std::string> labels;
  std::map<std::string, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const std::string label = label_of(parameters_[i]);
    if (members[label].empty()) labels.push_back(label);
    members[label].push_back(i);
  }
  message_of_.resize(parameters_.size());
  for (const std::string& label : labels) {
    const auto elements = [&](std::size_t i) {
      const auto [rows, columns] = states_[i]->gradient_extents();
      return rows * columns;
    };
    std::size_t total = 0;
    for (const std::size_t i : members[label]) total += elements(i);
    messages_.emplace_back(arena, label, total, static_cast<int>(members[label].size()));
    Scalar* data = messages_.back().gradients().data();
    for (const std::size_t i : members[label]) {
      const auto [rows, columns] = states_[i]->gradient_extents();
      states_[i]->set_gradient(Matrix(data, rows, columns));
      message_of_[i] = messages_.size() - 1;
      if (data != nullptr) data += elements(i);
    }
  }
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::initialize(const ExecutionSpace& space) {
  for (auto& state : states_) state->initialize(space);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::begin_update(const ExecutionSpace& space, std::int64_t step,
                                                     int micro_batches) {
  space_ = space;
  communicated_bytes_ = 0;
  for (Message& message : messages_) message.begin_update(micro_batches);
  refreshing_ = is_refresh(step);
  for (auto& state : states_) state->begin_update(space, step, refreshing_);
  if (refreshing_)
    for (const auto& state : states_) communicated_bytes_ += state->refresh_elements() * sizeof(Scalar);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) {
  states_[static_cast<std::size_t>(parameter)]->accept_factors(space_, output_gradient, input);
}

template <class ExecutionSpace, class Scalar>
auto Optimizer<ExecutionSpace, Scalar>::dense_gradient(int parameter) -> Matrix {
  return states_[static_cast<std::size_t>(parameter)]->dense_gradient(space_);
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::complete(int parameter) {
  const auto index = static_cast<std::size_t>(parameter);
  states_[index]->complete(space_);
  Message& message = messages_[message_of_[index]];
  if (message.complete_parameter(space_, communicator_)) communicated_bytes_ += message.bytes();
  communicator_.progress();
}

template <class ExecutionSpace, class Scalar>
GradientNorm Optimizer<ExecutionSpace, Scalar>::finish_gradients() {
  communicator_.wait();
  for (std::size_t i = 0; i < states_.size(); ++i)
    squared_norm(space_, states_[i]->gradient(), Kokkos::subview(squares_, i));
  using HostView =
      Kokkos::View<double*, Kokkos::LayoutRight, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  Kokkos::deep_copy(space_, HostView(host_squares_.data(), host_squares_.size()), squares_);
  space_.fence("Sward::Optimizer::finish_gradients");

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
void Optimizer<ExecutionSpace, Scalar>::apply(double learning_rate, double gradient_norm) {
  const bool too_long = options_.clip > 0.0 && gradient_norm > options_.clip;
  const UpdateContext context{learning_rate, too_long ? options_.clip / gradient_norm : 1.0};
  for (auto& state : states_) state->update(space_, context);
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
  for (const Message& message : messages_) sizes.push_back({message.label(), message.bytes(), message.bytes()});
  for (std::size_t i = 0; i < states_.size(); ++i)
    sizes[message_of_[i]].refresh += states_[i]->refresh_elements() * sizeof(Scalar);
  return sizes;
}

template <class ExecutionSpace, class Scalar>
std::size_t Optimizer<ExecutionSpace, Scalar>::largest_collective_bytes() const {
  std::size_t largest = 0;
  for (const Message& message : messages_) largest = std::max(largest, message.bytes());
  for (const auto& state : states_) largest = std::max(largest, state->refresh_elements() * sizeof(Scalar));
  return largest;
}

template <class ExecutionSpace, class Scalar>
void Optimizer<ExecutionSpace, Scalar>::visit_state(const std::string& parameter,
                                                    StateVisitor<ExecutionSpace, Scalar>& visitor) {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (parameters_[i].name == parameter) states_[i]->visit_state(visitor);
}

template class Optimizer<Kokkos::DefaultExecutionSpace, float>;
template class Optimizer<Kokkos::DefaultExecutionSpace, double>;

}  // namespace Sward
