#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <utility>

#include "Sward_Philox.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SelectLargestKeys.hpp"

namespace Sward {

/// The largest norm for all threads of the team, or infinity if one is not finite.
template <class Team, class Norms>
KOKKOS_INLINE_FUNCTION double largest_norm(const Team& team, const Norms& norms) {
  double largest = 0;
  Kokkos::parallel_reduce(
      Kokkos::TeamThreadRange(team, static_cast<int>(norms.extent(0))),
      [&](const int k, double& maximum) {
        const double norm = static_cast<double>(norms(k));
        if (!Kokkos::isfinite(norm)) maximum = Kokkos::Experimental::infinity_v<double>;
        if (norm > maximum) maximum = norm;
      },
      Kokkos::Max<double>(largest));
  return largest;
}

/// The share of a row beside that of the row with the largest norm, 1.
KOKKOS_INLINE_FUNCTION double share_of(double norm, double largest, int power) {
  if (power == 0 || largest == 0) return 1.0;
  if (!Kokkos::isfinite(largest)) return Kokkos::isfinite(norm) ? 0.0 : 1.0;
  const double ratio = norm / largest;
  return power == 1 ? ratio : ratio * ratio;
}

/// cumulative(k) = the sum of the first k + 1 rows' weights, (norm / largest norm)^power as integers: exact sums, so
/// the draws do not depend on the order of addition. Rows that are not finite, if there are any, share all the weight.
template <class Team, class Norms, class Cumulative>
KOKKOS_INLINE_FUNCTION void accumulate_weights(const Team& team, int power, double one, const Norms& norms,
                                               const Cumulative& cumulative) {
  const double largest = largest_norm(team, norms);
  Kokkos::parallel_scan(Kokkos::TeamThreadRange(team, static_cast<int>(norms.extent(0))),
                        [&](const int k, std::uint64_t& sum, const bool is_final) {
                          const double share = share_of(static_cast<double>(norms(k)), largest, power);
                          // A row that can be drawn at all keeps a weight, or the estimate would be biased.
                          const auto weight = static_cast<std::uint64_t>(Kokkos::round(one * share));
                          sum += weight == 0 && share > 0 ? 1 : weight;
                          if (is_final) cumulative(k) = sum;
                        });
}

/// The first row whose cumulative weight exceeds `target`.
template <class Cumulative>
KOKKOS_INLINE_FUNCTION int find_row(const Cumulative& cumulative, std::uint64_t target) {
  int low = 0;
  int high = static_cast<int>(cumulative.extent(0)) - 1;
  while (low < high) {
    const int middle = low + (high - low) / 2;
    if (cumulative(middle) > target) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// r independent draws with q proportional to norm^power, sorted by row; ρ_j = 1 / sqrt(r q_j).
template <class ExecutionSpace, class Norms>
void sample_with_replacement(const char* label, const ExecutionSpace& space, int power, const Norms& norms,
                             const Draw& draw, const SelectionWorkspace<ExecutionSpace>& workspace,
                             const RowSelection<ExecutionSpace>& selection) {
  // The sum of all weights stays below 2^52, which a double still counts in halves.
  double one = 0x1p51;
  while (one * selection.extent > 0x1p52) one /= 2;
  const int rank = selection.rank();
  const int last = selection.extent - 1;
  const auto cumulative = workspace.cumulative;
  const auto drawn = workspace.drawn;
  const auto rows = selection.rows;
  const auto scale = selection.scale;
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, single_team_policy(space), KOKKOS_LAMBDA(const Member& team) {
        accumulate_weights(team, power, one, norms, cumulative);
        team.team_barrier();
        const double total = static_cast<double>(cumulative(last));
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, rank), [&](const int slot) {
          const double target = uniform_open(draw, static_cast<std::uint64_t>(slot)) * total;
          // Counting sorts the largest first, so the rows are negated.
          drawn(slot) = -find_row(cumulative, static_cast<std::uint64_t>(target));
        });
      });
  const auto order = Kokkos::subview(workspace.order, std::pair<int, int>(0, rank));
  rank_keys(label, space, drawn, order);
  Kokkos::parallel_for(
      label, Kokkos::RangePolicy<ExecutionSpace>(space, 0, rank), KOKKOS_LAMBDA(const int slot) {
        const int row = -drawn(slot);
        const std::uint64_t weight = cumulative(row) - (row > 0 ? cumulative(row - 1) : 0);
        const double expected = rank * static_cast<double>(weight) / static_cast<double>(cumulative(last));
        rows(order(slot)) = row;
        scale(order(slot)) = static_cast<float>(1 / Kokkos::sqrt(expected));
      });
}

}  // namespace Sward
