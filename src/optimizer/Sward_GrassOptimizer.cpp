#include "Sward_GrassOptimizer.hpp"

#include <algorithm>
#include <utility>

#include "Sward_CallerGroup.hpp"
#include "Sward_Optimizer.hpp"

namespace Sward {

namespace {

using Space = Kokkos::DefaultExecutionSpace;

[[noreturn]] void refuse(const std::string& sentence) {
  throw std::invalid_argument("Sward::GrassOptimizer: " + sentence);
}

void check_options(const GrassOptimizerOptions& options) {
  const auto is_fraction = [](double beta) { return beta >= 0.0 && beta < 1.0; };
  if (options.grass.rank < 1) refuse("grass.rank is " + std::to_string(options.grass.rank) + ", wanted 1 or more");
  if (options.grass.refresh_interval < 1) refuse("grass.refresh_interval must be 1 or more");
  if (options.grass.refresh_warmup < 0) refuse("grass.refresh_warmup must not be negative");
  const std::string obstacle = obstacle_to_keeping_moments(options.grass, options.adam);
  if (!obstacle.empty()) refuse("grass.keep_moments " + obstacle);
  if (!is_fraction(options.adam.beta1) || !is_fraction(options.adam.beta2))
    refuse("adam.beta1 and adam.beta2 must be in [0, 1)");
  if (!(options.adam.epsilon > 0.0)) refuse("adam.epsilon must be positive");
  if (!(options.clip >= 0.0)) refuse("clip must not be negative");
}

template <class Scalar>
void check_matrices(const std::vector<TrainedMatrix<Scalar>>& matrices) {
  if (matrices.empty()) refuse("there are no matrices");
  for (std::size_t i = 0; i < matrices.size(); ++i) {
    const TrainedMatrix<Scalar>& matrix = matrices[i];
    if (matrix.name.empty()) refuse("matrix " + std::to_string(i) + " has no name");
    for (std::size_t k = 0; k < i; ++k)
      if (matrices[k].name == matrix.name) refuse("two matrices are called '" + matrix.name + "'");
    if (matrix.weight.size() == 0) refuse("'" + matrix.name + "' has no elements");
    if (matrix.message < 0) refuse("the message of '" + matrix.name + "' is negative");
  }
}

/// The kinds by which the optimizer knows what to project, and what decays.
ParameterKind kind_of(bool is_projected, bool decays) {
  if (is_projected) return ParameterKind::mlp;
  return decays ? ParameterKind::head : ParameterKind::norm;
}

template <class Scalar>
std::vector<ParameterInfo> describe(const std::vector<TrainedMatrix<Scalar>>& matrices) {
  std::vector<ParameterInfo> parameters;
  parameters.reserve(matrices.size());
  for (const TrainedMatrix<Scalar>& m : matrices)
    parameters.push_back({m.name, static_cast<std::int64_t>(m.weight.extent(0)),
                          static_cast<std::int64_t>(m.weight.extent(1)), kind_of(m.is_projected, m.decays), m.message});
  return parameters;
}

OptimizerOptions options_for(const GrassOptimizerOptions& given, int ranks) {
  OptimizerOptions options;
  options.projected = {ParameterKind::mlp};
  options.adam = given.adam;
  options.grass_constants = given.grass;
  options.clip = given.clip;
  options.stochastic_rounding = given.stochastic_rounding;
  options.seed = given.seed;
  options.bfloat16_messages = given.bfloat16_messages && ranks > 1;
  options.overlaps_refresh = ranks > 1;
  return options;
}

template <class T>
constexpr StateArray::Type array_type() {
  if constexpr (std::is_same_v<T, int>) return StateArray::Type::int32;
  if constexpr (std::is_same_v<T, float>) return StateArray::Type::float32;
  if constexpr (std::is_same_v<T, double>) return StateArray::Type::float64;
  if constexpr (std::is_same_v<T, BFloat16>) return StateArray::Type::bfloat16;
  return StateArray::Type::uint8;
}

/// Lists every array that it is shown.
template <class Value>
class StateLister : public StateVisitor<Space, Value> {
  using Base = StateVisitor<Space, Value>;

 public:
  StateLister(std::vector<StateArray>& arrays, std::string prefix) : arrays_(arrays), prefix_(std::move(prefix)) {}

  void visit(const std::string& name, typename Base::Matrix values, const MatrixSplit&) override { add(name, values); }
  void visit(const std::string& name, typename Base::HalfMatrix values, const MatrixSplit&) override {
    add(name, values);
  }
  void visit(const std::string& name, typename Base::Codes values, const MatrixSplit&) override { add(name, values); }
  void visit(const std::string& name, typename Base::Floats values, const MatrixSplit&) override { add(name, values); }
  void visit(const std::string& name, typename Base::Integers values, int) override { add(name, values); }
  void visit(const std::string& name, typename Base::Floats values) override { add(name, values); }
  void visit(const std::string& name, std::int64_t& value) override {
    arrays_.push_back({prefix_ + name, StateArray::Type::int64, &value, true, 1, 1, 1});
  }

 private:
  template <class View>
  void add(const std::string& name, const View& values) {
    const auto type = array_type<typename View::non_const_value_type>();
    if constexpr (View::rank() == 1)
      arrays_.push_back({prefix_ + name, type, values.data(), false, 1, values.extent(0), values.extent(0)});
    else
      arrays_.push_back(
          {prefix_ + name, type, values.data(), false, values.extent(0), values.extent(1), values.stride(0)});
  }

  std::vector<StateArray>& arrays_;
  std::string prefix_;
};

}  // namespace

template <class Scalar>
struct GrassOptimizer<Scalar>::Parts {
  Parts(const Space& space, const std::vector<TrainedMatrix<Scalar>>& matrices, std::size_t tokens,
        const GrassOptimizerOptions& options, ProcessGroup* callers)
      : parameters(describe(matrices)),
        clip(options.clip),
        group(callers == nullptr ? own_group : *callers),
        most_tokens(tokens),
        missing(matrices.size(), 0) {
    std::vector<typename TrainedMatrix<Scalar>::View> weights;
    weights.reserve(matrices.size());
    for (const TrainedMatrix<Scalar>& matrix : matrices) weights.push_back(matrix.weight);
    const OptimizerOptions inner = options_for(options, group.size());
    Arena<Space> plan = Arena<Space>::measuring();
    const Optimizer<Space, Scalar> measured(plan, parameters, weights, tokens, inner, group);
    arena.emplace(Arena<Space>::holding(plan.bytes()));
    optimizer.emplace(*arena, parameters, weights, tokens, inner, group);
    optimizer->initialize(space);
  }

  const ParameterInfo& parameter(const char* call, int matrix) const {
    if (matrix < 0 || static_cast<std::size_t>(matrix) >= parameters.size())
      refuse(std::string(call) + " has no matrix " + std::to_string(matrix) + " of " +
             std::to_string(parameters.size()));
    return parameters[static_cast<std::size_t>(matrix)];
  }

  void count_gradients(const char* call, int matrix, int count) {
    const auto index = static_cast<std::size_t>(matrix);
    if (missing[index] < count)
      throw std::logic_error("Sward::GrassOptimizer: " + std::string(call) + " brings more of '" +
                             parameters[index].name + "' than begin_update announced");
    missing[index] -= count;
  }

  void require_all_gradients() const {
    if (!is_under_way) throw std::logic_error("Sward::GrassOptimizer: there was no begin_update");
    for (std::size_t i = 0; i < missing.size(); ++i)
      if (missing[i] > 0)
        throw std::logic_error("Sward::GrassOptimizer: " + std::to_string(missing[i]) + " gradients of '" +
                               parameters[i].name + "' are missing in this update");
  }

  std::vector<ParameterInfo> parameters;
  double clip;
  CallerGroup own_group;  ///< of one rank, where the caller gives none
  ProcessGroup& group;
  std::optional<Arena<Space>> arena;
  std::optional<Optimizer<Space, Scalar>> optimizer;
  std::size_t most_tokens;
  bool is_under_way = false;  ///< an update is
  std::vector<int> missing;   ///< gradients of each matrix in the update under way
  int passes = 1;
  std::int64_t updates = 0;
};

template <class Scalar>
GrassOptimizer<Scalar>::GrassOptimizer(const Space& space, const std::vector<TrainedMatrix<Scalar>>& matrices,
                                       std::size_t tokens, const GrassOptimizerOptions& options, ProcessGroup* group) {
  check_options(options);
  check_matrices(matrices);
  if (tokens == 0) refuse("accept_factors must be allowed one token at least");
  parts_ = std::make_unique<Parts>(space, matrices, tokens, options, group);
}

template <class Scalar>
GrassOptimizer<Scalar>::~GrassOptimizer() = default;
template <class Scalar>
GrassOptimizer<Scalar>::GrassOptimizer(GrassOptimizer&&) noexcept = default;
template <class Scalar>
GrassOptimizer<Scalar>& GrassOptimizer<Scalar>::operator=(GrassOptimizer&&) noexcept = default;

template <class Scalar>
void GrassOptimizer<Scalar>::begin_update(const Space& space, double learning_rate, int passes) {
  if (passes < 1) refuse("begin_update is for " + std::to_string(passes) + " passes, wanted 1 or more");
  std::fill(parts_->missing.begin(), parts_->missing.end(), passes);
  parts_->passes = passes;
  if (parts_->is_under_way) parts_->optimizer->skip();
  parts_->is_under_way = true;
  parts_->optimizer->begin_update(space, parts_->updates, passes, learning_rate);
}

template <class Scalar>
void GrassOptimizer<Scalar>::accept_factors(int matrix, const ConstMatrix& output_gradient, const ConstMatrix& input) {
  const ParameterInfo& of = parts_->parameter("accept_factors", matrix);
  const char* const function = "Sward::GrassOptimizer::accept_factors";
  require_extents(function, "output_gradient", {output_gradient.extent(0), output_gradient.extent(1)},
                  {input.extent(0), static_cast<std::size_t>(of.rows)});
  require_extents(function, "input", {input.extent(1)}, {static_cast<std::size_t>(of.columns)});
  if (input.extent(0) > parts_->most_tokens)
    refuse("accept_factors brings " + std::to_string(input.extent(0)) + " tokens, wanted " +
           std::to_string(parts_->most_tokens) + " at most");
  parts_->count_gradients("accept_factors", matrix, 1);
  parts_->optimizer->accept_factors(matrix, output_gradient, input);
  parts_->optimizer->complete(matrix);
}

template <class Scalar>
void GrassOptimizer<Scalar>::accept_gradient(int matrix, const ConstGradient& gradient) {
  const ParameterInfo& of = parts_->parameter("accept_gradient", matrix);
  require_extents("Sward::GrassOptimizer::accept_gradient", "gradient", {gradient.extent(0), gradient.extent(1)},
                  {static_cast<std::size_t>(of.rows), static_cast<std::size_t>(of.columns)});
  parts_->count_gradients("accept_gradient", matrix, parts_->passes);
  parts_->optimizer->accept_gradient(matrix, gradient);
}

template <class Scalar>
void GrassOptimizer<Scalar>::update() {
  if (parts_->clip > 0.0) {
    parts_->optimizer->apply(gradient_norm().norm);
  } else {
    parts_->require_all_gradients();
    parts_->optimizer->finish_messages();
    parts_->optimizer->apply(0.0);
  }
  parts_->is_under_way = false;
  ++parts_->updates;
}

template <class Scalar>
GradientNorm GrassOptimizer<Scalar>::gradient_norm() {
  parts_->require_all_gradients();
  return parts_->optimizer->finish_gradients();
}

template <class Scalar>
std::int64_t GrassOptimizer<Scalar>::updates() const {
  return parts_->updates;
}

template <class Scalar>
std::vector<StateArray> GrassOptimizer<Scalar>::state() {
  std::vector<StateArray> arrays{{"updates", StateArray::Type::int64, &parts_->updates, true, 1, 1, 1}};
  for (const ParameterInfo& parameter : parts_->parameters) {
    StateLister<Real<Scalar>> lister(arrays, parameter.name + "/");
    parts_->optimizer->visit_state(parameter.name, lister);
  }
  return arrays;
}

template <class Scalar>
void GrassOptimizer<Scalar>::check_state() {
  Kokkos::fence("Sward::GrassOptimizer::check_state");
  for (std::size_t i = 0; i < parts_->parameters.size(); ++i) {
    if (parts_->parameters[i].kind != ParameterKind::mlp) continue;
    const RowSelection<Space>& selected = selection(static_cast<int>(i));
    const auto rows = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, selected.rows);
    for (std::size_t slot = 0; slot < rows.extent(0); ++slot)
      if (rows(slot) < 0 || rows(slot) >= selected.extent)
        throw std::runtime_error("Sward::GrassOptimizer: '" + parts_->parameters[i].name + "/rows' has " +
                                 std::to_string(rows(slot)) + ", wanted 0 to " + std::to_string(selected.extent - 1));
  }
}

template <class Scalar>
std::size_t GrassOptimizer<Scalar>::memory_bytes() const {
  return parts_->arena->bytes();
}

template <class Scalar>
std::size_t GrassOptimizer<Scalar>::message_bytes(bool refresh) const {
  return parts_->optimizer->planned_bytes(refresh);
}

template <class Scalar>
const RowSelection<Space>& GrassOptimizer<Scalar>::selection(int matrix) const {
  const auto index = static_cast<std::size_t>(matrix);
  if (matrix < 0 || index >= parts_->parameters.size() || parts_->parameters[index].kind != ParameterKind::mlp)
    refuse("selection: matrix " + std::to_string(matrix) + " is not projected");
  return static_cast<const GrassParameter<Space, Scalar>&>(parts_->optimizer->parameter(matrix)).selection();
}

template class GrassOptimizer<float>;
#ifndef KOKKOS_ENABLE_CUDA
template class GrassOptimizer<double>;
#endif
template class GrassOptimizer<BFloat16>;

}  // namespace Sward
