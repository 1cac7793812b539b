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

/// What rows are sorted by to be sampled without replacement, the largest first, for a uniform number in (0, 1): with
/// E = -log(uniform), norm / E for power 1 and norm / sqrt(E) for power 2. Rows that are not finite come first; those
/// of norm zero come last, at random among themselves.
///
/// Norms from 1e-306 to 1e292 keep their order at any E; beyond, keys may tie at 0 or at the largest double, and the
/// lower row wins.
KOKKOS_INLINE_FUNCTION double sampling_key(int power, double norm, double uniform) {
  constexpr double largest = Kokkos::Experimental::finite_max_v<double>;
  // Below every quotient and ascending as 1 / E does, without a rounding.
  const double key_of_zero = uniform - 1.0;
  if (power == 0) return key_of_zero;
  const double wait = -Kokkos::log(uniform);
  const double quotient = norm / (power == 1 ? wait : Kokkos::sqrt(wait));
  double key = quotient < largest ? quotient : largest;
  if (norm <= 0) key = key_of_zero;
  if (!Kokkos::isfinite(norm)) key = Kokkos::Experimental::infinity_v<double>;
  return key;
}

/// r distinct rows: those with the largest q / E, E exponential, which is the same as drawing one after the other.
/// Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir", 2006.
template <class ExecutionSpace, class Norms>
SWARD_FILE_LOCAL void sample_without_replacement(const char* label, const ExecutionSpace& space, int power,
                                                 const Norms& norms, const Draw& draw,
                                                 const SelectionWorkspace<ExecutionSpace>& workspace,
                                                 const RowSelection<ExecutionSpace>& selection) {
  select_largest_keys(
      label, space, workspace, selection, KOKKOS_LAMBDA(const int k) {
        const double uniform = uniform_open(draw, static_cast<std::uint64_t>(k));
        return sampling_key(power, static_cast<double>(norms(k)), uniform);
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
