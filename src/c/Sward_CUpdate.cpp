#include "Sward_COperands.hpp"
#include "Sward_GrassUpdate.hpp"

namespace {

using namespace Sward::C;

constexpr const char* function = "sward_grass_update";

Sward::Rounding rounding_of(const sward_rounding* rounding, bool is_needed) {
  if (rounding == nullptr && is_needed) refuse(function, "rounding is NULL, and something is in SWARD_BFLOAT16");
  if (rounding == nullptr) return {};
  return {rounding->stochastic != 0, draw_of(function, rounding->draw)};
}

}  // namespace

extern "C" sward_status sward_grass_update(const sward_instance* instance, const sward_selection* selection,
                                           const sward_adam_step* step, double rate, double decay,
                                           const sward_rounding* rounding, const sward_matrix* gradient,
                                           const sward_matrix* first_moment, const sward_matrix* second_moment,
                                           const sward_matrix* weight) {
  return call(function, [&] {
    const Space& space = space_of(function, instance);
    const auto chosen = selection_of(function, selection);
    require_pointer(function, "step", step);
    const Sward::AdamStep adam{step->beta1, step->beta2, step->epsilon, step->count, step->gradient_scale};
    check_matrix(function, "first_moment", first_moment);
    with_type(function, "weight", weight, [&](auto type) {
      using T = typename decltype(type)::type;
      using Value = Sward::Real<T>;
      const bool has_half_moments = std::is_same_v<Value, float> && first_moment->type == SWARD_BFLOAT16;
      const bool rounds = has_half_moments || std::is_same_v<T, Sward::BFloat16>;
      const Sward::Rounding how = rounding_of(rounding, rounds);
      const auto update = [&](auto moment) {
        using Moment = typename decltype(moment)::type;
        Sward::grass_update(space, chosen, adam, rate, decay, how, operand<Value>(function, "gradient", gradient),
                            operand<Moment>(function, "first_moment", first_moment),
                            operand<Moment>(function, "second_moment", second_moment), operand<T>(*weight));
      };
      if constexpr (std::is_same_v<Value, float>)
        if (has_half_moments) return update(std::type_identity<Sward::BFloat16>());
      update(std::type_identity<Value>());
    });
  });
}
