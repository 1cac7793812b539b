#include <limits>
#include <optional>
#include <variant>

#include "Sward_COperands.hpp"
#include "Sward_CallerGroup.hpp"
#include "Sward_GrassOptimizer.hpp"

namespace Sward::C {

#ifdef KOKKOS_ENABLE_CUDA
using AnyOptimizer = std::variant<GrassOptimizer<float>, GrassOptimizer<BFloat16>>;
#else
using AnyOptimizer = std::variant<GrassOptimizer<float>, GrassOptimizer<BFloat16>, GrassOptimizer<double>>;
#endif

}  // namespace Sward::C

struct sward_optimizer {
  std::optional<Sward::CallerGroup> group;
  std::optional<Sward::C::AnyOptimizer> any;
  std::vector<Sward::StateArray> state;
  std::string nonfinite;
};

namespace {

using namespace Sward::C;

template <class Scalar>
constexpr bool has_optimizer = std::is_constructible_v<AnyOptimizer, Sward::GrassOptimizer<Scalar>>;

template <class Scalar>
std::type_identity<Scalar> scalar_of(const Sward::GrassOptimizer<Scalar>& /*optimizer*/) {
  return {};
}

/// use(optimizer, std::type_identity<Scalar>()) of the one inside.
template <class Handle, class Use>
void with_optimizer(const char* function, Handle* optimizer, const Use& use) {
  require_pointer(function, "optimizer", optimizer);
  std::visit([&](auto& held) { use(held, scalar_of(held)); }, *optimizer->any);
}

sward_type type_of_message(Sward::ElementType type) {
  switch (type) {
    case Sward::ElementType::float32:
      return SWARD_FLOAT32;
    case Sward::ElementType::float64:
      return SWARD_FLOAT64;
    case Sward::ElementType::bfloat16:
      return SWARD_BFLOAT16;
  }
  return SWARD_BFLOAT16;
}

sward_type type_of_array(Sward::StateArray::Type type) {
  using Type = Sward::StateArray::Type;
  switch (type) {
    case Type::int32:
      return SWARD_INT32;
    case Type::int64:
      return SWARD_INT64;
    case Type::float32:
      return SWARD_FLOAT32;
    case Type::float64:
      return SWARD_FLOAT64;
    case Type::bfloat16:
      return SWARD_BFLOAT16;
    case Type::uint8:
      return SWARD_UINT8;
  }
  return SWARD_UINT8;
}

void open_group(const char* function, const sward_group& given, std::optional<Sward::CallerGroup>& group) {
  require_range(function, "group.size", given.size, 1, std::numeric_limits<int>::max());
  require_range(function, "group.rank", given.rank, 0, given.size - 1);
  if (given.size > 1 && given.add_up == nullptr) refuse(function, "group.add_up is NULL");
  if (given.size == 1) return;
  group.emplace(given.rank, given.size,
                [add_up = given.add_up, context = given.context](const Space& space, const Sward::CallerMessage& m) {
                  const int code = add_up(context, stream_of(space), m.data, m.count, type_of_message(m.type), m.what);
                  if (code != 0)
                    throw AddUpError("add_up returned " + std::to_string(code) + " for " + std::string(m.what));
                });
}

Sward::GrassOptimizerOptions options_of(const char* function, const sward_optimizer_options& given) {
  require_range(function, "options.side", given.side, SWARD_SMALLER_SIDE, SWARD_COLUMNS_SIDE);
  require_range(function, "options.state", given.state, SWARD_STATE_FULL, SWARD_STATE_INT8);
  Sward::GrassOptimizerOptions options;
  options.grass.rank = given.rank;
  options.grass.selection = scheme_of(function, given.scheme);
  options.grass.refresh_interval = given.refresh_interval;
  options.grass.refresh_warmup = given.refresh_warmup;
  options.grass.scale = given.scale;
  options.grass.side = static_cast<Sward::GrassConstants::SideRule>(given.side);
  options.grass.seed = given.selection_seed;
  options.adam.beta1 = given.beta1;
  options.adam.beta2 = given.beta2;
  options.adam.epsilon = given.epsilon;
  options.adam.weight_decay = given.weight_decay;
  options.adam.state = static_cast<Sward::StateType>(given.state);
  options.clip = given.clip;
  options.stochastic_rounding = given.stochastic_rounding != 0;
  options.seed = given.rounding_seed;
  options.bfloat16_messages = given.bfloat16_messages != 0;
  return options;
}

template <class Scalar>
std::vector<Sward::TrainedMatrix<Scalar>> matrices_of(const char* function, const sward_trained_matrix* matrices,
                                                      std::int64_t count) {
  std::vector<Sward::TrainedMatrix<Scalar>> list;
  for (std::int64_t i = 0; i < count; ++i) {
    const sward_trained_matrix& given = matrices[i];
    require_pointer(function, ("the name of matrix " + std::to_string(i)).c_str(), given.name);
    list.push_back({given.name, operand<Scalar>(function, given.name, &given.weight), given.is_projected != 0,
                    given.decays != 0, given.message});
  }
  return list;
}

}  // namespace

extern "C" {

sward_status sward_optimizer_options_default(sward_optimizer_options* options) {
  return call_anytime([&] {
    require_pointer("sward_optimizer_options_default", "options", options);
    const Sward::GrassOptimizerOptions of;
    *options = {of.grass.rank,
                static_cast<sward_scheme>(of.grass.selection),
                of.grass.refresh_interval,
                of.grass.refresh_warmup,
                of.grass.scale,
                static_cast<sward_side_rule>(of.grass.side),
                of.grass.seed,
                of.adam.beta1,
                of.adam.beta2,
                of.adam.epsilon,
                of.adam.weight_decay,
                static_cast<sward_state_type>(of.adam.state),
                of.clip,
                of.stochastic_rounding ? 1 : 0,
                of.seed,
                of.bfloat16_messages ? 1 : 0};
  });
}

sward_status sward_optimizer_create(const sward_instance* instance, const sward_trained_matrix* matrices, int64_t count,
                                    int64_t tokens, const sward_optimizer_options* options, const sward_group* group,
                                    sward_optimizer** optimizer) {
  constexpr const char* function = "sward_optimizer_create";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    require_pointer(function, "options", options);
    require_pointer(function, "optimizer", optimizer);
    require_range(function, "count", count, 1, std::numeric_limits<int>::max());
    require_range(function, "tokens", tokens, 1, std::numeric_limits<int>::max());
    require_pointer(function, "matrices", matrices);
    const Sward::GrassOptimizerOptions how = options_of(function, *options);
    auto handle = std::make_unique<sward_optimizer>();
    if (group != nullptr) open_group(function, *group, handle->group);
    with_type(function, "matrix 0", &matrices[0].weight, [&](auto type) {
      using Scalar = typename decltype(type)::type;
      if constexpr (!has_optimizer<Scalar>) {
        refuse(function, "optimizers of SWARD_FLOAT64 are for hosts");
      } else {
        auto& held = std::get<Sward::GrassOptimizer<Scalar>>(handle->any.emplace(
            std::in_place_type<Sward::GrassOptimizer<Scalar>>, space, matrices_of<Scalar>(function, matrices, count),
            static_cast<std::size_t>(tokens), how, handle->group ? &*handle->group : nullptr));
        handle->state = held.state();
      }
    });
    *optimizer = handle.release();
    count_handles(1);
  });
}

sward_status sward_optimizer_destroy(sward_optimizer* optimizer) {
  constexpr const char* function = "sward_optimizer_destroy";
  if (optimizer == nullptr) return SWARD_SUCCESS;
  return call(function, [&] {
    Kokkos::fence(function);
    delete optimizer;
    count_handles(-1);
  });
}

sward_status sward_optimizer_begin_update(sward_optimizer* optimizer, const sward_instance* instance,
                                          double learning_rate, int passes) {
  constexpr const char* function = "sward_optimizer_begin_update";
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    with_optimizer(function, optimizer, [&](auto& held, auto) { held.begin_update(space, learning_rate, passes); });
  });
}

sward_status sward_optimizer_accept_factors(sward_optimizer* optimizer, int matrix, const sward_matrix* output_gradient,
                                            const sward_matrix* input) {
  constexpr const char* function = "sward_optimizer_accept_factors";
  return call(function, [&] {
    with_optimizer(function, optimizer, [&](auto& held, auto type) {
      using T = typename decltype(type)::type;
      held.accept_factors(matrix, operand<T>(function, "output_gradient", output_gradient),
                          operand<T>(function, "input", input));
    });
  });
}

sward_status sward_optimizer_accept_gradient(sward_optimizer* optimizer, int matrix, const sward_matrix* gradient) {
  constexpr const char* function = "sward_optimizer_accept_gradient";
  return call(function, [&] {
    with_optimizer(function, optimizer, [&](auto& held, auto type) {
      held.accept_gradient(matrix, operand<Sward::Real<typename decltype(type)::type>>(function, "gradient", gradient));
    });
  });
}

sward_status sward_optimizer_update(sward_optimizer* optimizer) {
  constexpr const char* function = "sward_optimizer_update";
  return call(function, [&] { with_optimizer(function, optimizer, [](auto& held, auto) { held.update(); }); });
}

sward_status sward_optimizer_gradient_norm(sward_optimizer* optimizer, double* norm, const char** nonfinite) {
  constexpr const char* function = "sward_optimizer_gradient_norm";
  return call(function, [&] {
    require_pointer(function, "norm", norm);
    with_optimizer(function, optimizer, [&](auto& held, auto) {
      const Sward::GradientNorm result = held.gradient_norm();
      optimizer->nonfinite = result.nonfinite_parameter;
      *norm = result.norm;
      if (nonfinite != nullptr) *nonfinite = optimizer->nonfinite.empty() ? nullptr : optimizer->nonfinite.c_str();
    });
  });
}

sward_status sward_optimizer_updates(const sward_optimizer* optimizer, int64_t* updates) {
  constexpr const char* function = "sward_optimizer_updates";
  return call(function, [&] {
    require_pointer(function, "updates", updates);
    with_optimizer(function, optimizer, [&](auto& held, auto) { *updates = held.updates(); });
  });
}

sward_status sward_optimizer_memory_bytes(const sward_optimizer* optimizer, size_t* bytes) {
  constexpr const char* function = "sward_optimizer_memory_bytes";
  return call(function, [&] {
    require_pointer(function, "bytes", bytes);
    with_optimizer(function, optimizer, [&](auto& held, auto) { *bytes = held.memory_bytes(); });
  });
}

sward_status sward_optimizer_message_bytes(const sward_optimizer* optimizer, int refresh, size_t* bytes) {
  constexpr const char* function = "sward_optimizer_message_bytes";
  return call(function, [&] {
    require_pointer(function, "bytes", bytes);
    with_optimizer(function, optimizer, [&](auto& held, auto) { *bytes = held.message_bytes(refresh != 0); });
  });
}

sward_status sward_optimizer_selection(const sward_optimizer* optimizer, int matrix, sward_selection* selection) {
  constexpr const char* function = "sward_optimizer_selection";
  return call(function, [&] {
    require_pointer(function, "selection", selection);
    with_optimizer(function, optimizer, [&](auto& held, auto) {
      const Sward::RowSelection<Space>& of = held.selection(matrix);
      *selection = {of.rows.data(), of.scale.data(), of.rank(), of.extent,
                    of.side == Sward::Side::rows ? SWARD_ROWS : SWARD_COLUMNS};
    });
  });
}

sward_status sward_optimizer_state_count(const sward_optimizer* optimizer, int64_t* count) {
  constexpr const char* function = "sward_optimizer_state_count";
  return call(function, [&] {
    require_pointer(function, "optimizer", optimizer);
    require_pointer(function, "count", count);
    *count = static_cast<std::int64_t>(optimizer->state.size());
  });
}

sward_status sward_optimizer_state_array(const sward_optimizer* optimizer, int64_t number, sward_state_array* array) {
  constexpr const char* function = "sward_optimizer_state_array";
  return call(function, [&] {
    require_pointer(function, "optimizer", optimizer);
    require_pointer(function, "array", array);
    require_range(function, "number", number, 0, static_cast<std::int64_t>(optimizer->state.size()) - 1);
    const Sward::StateArray& of = optimizer->state[static_cast<std::size_t>(number)];
    *array = {of.name.c_str(),
              of.data,
              static_cast<std::int64_t>(of.rows),
              static_cast<std::int64_t>(of.columns),
              static_cast<std::int64_t>(of.stride),
              type_of_array(of.type),
              of.on_host ? 1 : 0};
  });
}

sward_status sward_optimizer_check_state(sward_optimizer* optimizer) {
  constexpr const char* function = "sward_optimizer_check_state";
  return call(function, [&] {
    with_optimizer(function, optimizer, [&](auto& held, auto) {
      try {
        held.check_state();
      } catch (const std::runtime_error& error) {
        throw std::invalid_argument(error.what());
      }
    });
  });
}
}
