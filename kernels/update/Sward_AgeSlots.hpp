#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// What an update takes of each slot where their moments are of different ages.
struct AgeingRule {
  double beta1;
  double beta2;
  std::int64_t warmup;  ///< updates over which the step of a new row ramps; 0: none
};

/// An update later: ages(s) grows to t, and
///   factor(s) = scale(s) min(1, t / warmup) sqrt(1 - β2^t) / (1 - β1^t),
/// which corrects the bias of a step m / (sqrt(v) + ε) of moments that have had t updates. Source: Kingma and Ba,
/// "Adam", arXiv 1412.6980, the order of operations at the end of its section 2. All are vectors of r, ages of int.
/// Asynchronous on `space`. Throws ExtentError when the extents differ.
template <class ExecutionSpace, class Scale, class Ages, class Factor>
SWARD_FILE_LOCAL void age_slots(const ExecutionSpace& space, const AgeingRule& rule, const Scale& scale,
                                const Ages& ages, const Factor& factor) {
  static_assert(is_input<ExecutionSpace, Scale>() && is_output<ExecutionSpace, Factor>());
  static_assert(is_number_list<ExecutionSpace, Ages>() && is_written<ExecutionSpace, Ages>());
  static_assert(Scale::rank() == 1 && Ages::rank() == 1 && Factor::rank() == 1,
                "Sward::age_slots: the operands must be vectors");
  const char* const function = "Sward::age_slots";
  require_extents(function, "ages", {ages.extent(0)}, {scale.extent(0)});
  require_extents(function, "factor", {factor.extent(0)}, {scale.extent(0)});
  using Result = typename Factor::non_const_value_type;
  const double beta1 = rule.beta1;
  const double beta2 = rule.beta2;
  const auto warmup = static_cast<double>(rule.warmup);
  Kokkos::parallel_for(
      function, Kokkos::RangePolicy<ExecutionSpace>(space, 0, static_cast<int>(scale.extent(0))),
      KOKKOS_LAMBDA(const int s) {
        const double t = ++ages(s);
        const double ramp = t < warmup ? t / warmup : 1.0;
        const double correction = Kokkos::sqrt(1.0 - Kokkos::pow(beta2, t)) / (1.0 - Kokkos::pow(beta1, t));
        factor(s) = static_cast<Result>(static_cast<double>(scale(s)) * ramp * correction);
      });
}

}  // namespace Sward
