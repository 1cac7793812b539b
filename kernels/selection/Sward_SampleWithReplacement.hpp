#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_FileLocal.hpp"
#include "Sward_KeyMemory.hpp"
#include "Sward_Philox.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SingleTeam.hpp"
#include "Sward_TeamScan.hpp"

namespace Sward {

/// The largest norm for all threads of the team, or infinity if one is not finite.
template <class Team, class Norms>
KOKKOS_INLINE_FUNCTION double largest_norm(const Team& team, const Norms& norms) {
  const Batches<typename Team::execution_space> batches{static_cast<int>(norms.extent(0))};
  double largest = 0;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, batches.count()),
      [&](const int batch, double& maximum) {
        batches.for_each(
            batch, [&](const int k) { return static_cast<double>(norms(k)); },
            [&](int, const double norm) {
              if (!Kokkos::isfinite(norm)) maximum = Kokkos::Experimental::infinity_v<double>;
              if (norm > maximum) maximum = norm;
            });
      },
      Kokkos::Max<double>(largest));
  return largest;
}

/// The weight of the row with the largest norm among `extent`: the sum of all weights stays below 2^52, which a double
/// still counts in halves.
inline double weight_of_largest(int extent) {
  double weight = 0x1p51;
  while (weight * extent > 0x1p52) weight /= 2;
  return weight;
}

/// The share of a row beside that of the row with the largest norm, 1; `inverse` is about 1 / largest.
KOKKOS_INLINE_FUNCTION double share_of(double norm, double largest, double inverse, int power) {
  if (power == 0 || largest == 0) return 1.0;
  if (!Kokkos::isfinite(largest)) return Kokkos::isfinite(norm) ? 0.0 : 1.0;
  const double ratio = Kokkos::min(norm * inverse, 1.0);
  return power == 1 ? ratio : ratio * ratio;
}

/// cumulative(k) = the sum of the first k + 1 rows' weights, (norm / largest norm)^power as integers: exact sums, so
/// the draws do not depend on the order of addition. Rows that are not finite, if there are any, share all the weight.
template <class Team, class Norms, class Sums, class Cumulative>
KOKKOS_INLINE_FUNCTION void accumulate_weights(const Team& team, int power, double one, const Norms& norms,
                                               const Sums& sums, const Cumulative& cumulative) {
  const double largest = power == 0 ? 0.0 : largest_norm(team, norms);
  // The inverse of a denormal number would be infinite.
  constexpr double least = Kokkos::Experimental::norm_min_v<double>;
  const double inverse = 1 / Kokkos::max(largest, least);
  team_for(
      team, static_cast<int>(norms.extent(0)),
      [&](const int k) {
        const double share = share_of(static_cast<double>(norms(k)), largest, inverse, power);
        // A row that can be drawn at all keeps a weight, or the estimate would be biased.
        const auto weight = static_cast<std::uint64_t>(Kokkos::round(one * share));
        return weight == 0 && share > 0 ? std::uint64_t(1) : weight;
      },
      [&](const int k, const std::uint64_t weight) { cumulative(k) = weight; });
  team.team_barrier();
  team_scan(
      team, static_cast<int>(norms.extent(0)), sums, [&](const int k) { return cumulative(k); },
      [&](const int k, const std::uint64_t before, const std::uint64_t weight) { cumulative(k) = before + weight; });
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

/// Adds to counts(k) how often row k is drawn in `rank` independent draws. Called by the whole team.
template <class Team, class Cumulative, class Counts>
KOKKOS_INLINE_FUNCTION void count_draws(const Team& team, int rank, const Draw& draw, const Cumulative& cumulative,
                                        const Counts& counts) {
  const double total = static_cast<double>(cumulative(cumulative.extent(0) - 1));
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rank), [&](const int i) {
    const double target = uniform_open(draw, static_cast<std::uint64_t>(i)) * total;
    Kokkos::atomic_inc(&counts(find_row(cumulative, static_cast<std::uint64_t>(target))));
  });
  team.team_barrier();
}

/// Writes a slot for each time that a row was drawn, in ascending order of the row; ρ_j = 1 / sqrt(r q_j). Called by
/// the whole team.
template <class Team, class Sums, class Cumulative, class Counts, class ExecutionSpace>
KOKKOS_INLINE_FUNCTION void write_drawn(const Team& team, const Sums& sums, const Cumulative& cumulative,
                                        const Counts& counts, const RowSelection<ExecutionSpace>& selection) {
  const double total = static_cast<double>(cumulative(selection.extent - 1));
  team_scan(
      team, selection.extent, sums, [&](const int k) { return static_cast<std::uint64_t>(counts(k)); },
      [&](const int k, const std::uint64_t before, const std::uint64_t drawn) {
        if (drawn == 0) return;
        const std::uint64_t weight = cumulative(k) - (k > 0 ? cumulative(k - 1) : 0);
        const double expected = selection.rank() * static_cast<double>(weight) / total;
        const int first = static_cast<int>(before);
        for (int slot = first; slot < first + static_cast<int>(drawn); ++slot) {
          selection.rows(slot) = k;
          selection.scale(slot) = static_cast<float>(1 / Kokkos::sqrt(expected));
        }
      });
}

/// r independent draws with q proportional to norm^power, sorted by row; ρ_j = 1 / sqrt(r q_j).
template <class ExecutionSpace, class Norms>
SWARD_FILE_LOCAL void sample_with_replacement(const char* label, const ExecutionSpace& space, int power,
                                              const Norms& norms, const Draw& draw,
                                              const SelectionWorkspace<ExecutionSpace>& workspace,
                                              const RowSelection<ExecutionSpace>& selection) {
  using Sums = ScanScratch<ExecutionSpace, std::uint64_t>;
  const double one = weight_of_largest(selection.extent);
  auto policy = single_team_policy(space);
  using Policy = decltype(policy);
  const KeyMemory<ExecutionSpace> memory{workspace.keys};
  policy.set_scratch_size(0, Kokkos::PerTeam(Sums::bytes(policy.team_size()) + memory.bytes()));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const Sums sums(team);
        const auto cumulative = memory.of(team);
        team_clear(team, workspace.counts);
        accumulate_weights(team, power, one, norms, sums, cumulative);
        team.team_barrier();
        count_draws(team, selection.rank(), draw, cumulative, workspace.counts);
        write_drawn(team, sums, cumulative, workspace.counts, selection);
      });
}

}  // namespace Sward
