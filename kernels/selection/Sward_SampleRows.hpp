#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_FileLocal.hpp"
#include "Sward_Philox.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SampleWithReplacement.hpp"
#include "Sward_SelectLargestKeys.hpp"

namespace Sward {

/// The power of the norm that q is proportional to.
inline int sampling_power(Selection selection) {
  switch (selection) {
    case Selection::norm:
    case Selection::norm_replacement:
      return 1;
    case Selection::norm_squared:
    case Selection::norm_squared_replacement:
      return 2;
    default:
      return 0;
  }
}

/// r distinct rows: those with the largest log q + Gumbel noise, which is the same as drawing one after the other.
/// Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
template <class ExecutionSpace, class Norms>
SWARD_FILE_LOCAL void sample_without_replacement(const char* label, const ExecutionSpace& space, int power,
                                                 const Norms& norms, const Draw& draw,
                                                 const SelectionWorkspace<ExecutionSpace>& workspace,
                                                 const RowSelection<ExecutionSpace>& selection) {
  // Below every logarithm of a square of doubles: rows of norm zero come last, at random among themselves.
  constexpr double log_of_zero = -1e4;
  select_largest_keys(
      label, space, workspace, selection, KOKKOS_LAMBDA(const int k) {
        const double norm = static_cast<double>(norms(k));
        const double noise = -Kokkos::log(-Kokkos::log(uniform_open(draw, static_cast<std::uint64_t>(k))));
        const double log_weight = power == 0 ? 0.0 : (norm > 0 ? power * Kokkos::log(norm) : log_of_zero);
        return power == 0 || Kokkos::isfinite(norm) ? log_weight + noise : Kokkos::Experimental::infinity_v<double>;
      });
}

/// Samples r of m rows by their norms; noise from `draw`, so all ranks and backends choose alike. Without replacement
/// ρ = 1; with replacement ρ_j = 1 / sqrt(r q_j), and a row drawn twice has two slots. All-zero norms are sampled
/// uniformly; the uniform schemes do not look at the norms. Asynchronous on `space`; the norms never leave the device.
///
/// A norm that is not finite is always selected (but for the uniform schemes), so that a gradient which overflowed
/// shows in its projection. Throws ExtentError, or std::invalid_argument for a rank outside 1 to m and for top_r.
template <class ExecutionSpace, class Norms>
void sample_rows(const ExecutionSpace& space, Selection scheme, const Norms& norms, const Draw& draw,
                 const SelectionWorkspace<ExecutionSpace>& workspace, const RowSelection<ExecutionSpace>& selection) {
  const char* const function = "Sward::sample_rows";
  check_selection(function, norms, workspace, selection);
  require(scheme != Selection::top_r, function, "top_r draws nothing; select_top_rows does it");
  if (draws_with_replacement(scheme)) {
    sample_with_replacement(function, space, sampling_power(scheme), norms, draw, workspace, selection);
  } else {
    sample_without_replacement(function, space, sampling_power(scheme), norms, draw, workspace, selection);
  }
}

}  // namespace Sward
