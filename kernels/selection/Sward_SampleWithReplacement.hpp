#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Philox.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SelectLargestKeys.hpp"

namespace Sward {

/// cumulative(k) = the sum of the first k + 1 rows' weights, (norm / largest norm)^power as integers: exact sums, so
/// the draws do not depend on the order of addition. Rows that are not finite, if there are any, share all the weight.
template <class ExecutionSpace, class Norms>
void accumulate_weights(const char* label, const ExecutionSpace& space, int power, const Norms& norms,
                        const SelectionWorkspace<ExecutionSpace>& workspace) {
  const int count = static_cast<int>(norms.extent(0));
  const Kokkos::RangePolicy<ExecutionSpace> all(space, 0, count);
  const auto largest = Kokkos::subview(workspace.largest, 0);
  Kokkos::parallel_reduce(
      label, all,
      KOKKOS_LAMBDA(const int k, double& maximum) {
        const double norm = static_cast<double>(norms(k));
        if (!Kokkos::isfinite(norm)) maximum = Kokkos::Experimental::infinity_v<double>;
        if (norm > maximum) maximum = norm;
      },
      Kokkos::Max<double, typename ExecutionSpace::memory_space>(largest));
  // The sum of all weights stays below 2^52, which a double still counts in halves.
  double one = 0x1p51;
  while (one * count > 0x1p52) one /= 2;
  const auto cumulative = workspace.cumulative;
  Kokkos::parallel_scan(
      label, all, KOKKOS_LAMBDA(const int k, std::uint64_t& sum, const bool is_final) {
        const double norm = static_cast<double>(norms(k));
        double share = 1.0;
        if (power > 0 && !Kokkos::isfinite(largest())) {
          share = Kokkos::isfinite(norm) ? 0.0 : 1.0;
        } else if (power > 0 && largest() > 0) {
          const double ratio = norm / largest();
          share = power == 1 ? ratio : ratio * ratio;
        }
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
  accumulate_weights(label, space, power, norms, workspace);
  const int rank = selection.rank();
  const int last = selection.extent - 1;
  const Kokkos::RangePolicy<ExecutionSpace> slots(space, 0, rank);
  const auto cumulative = workspace.cumulative;
  const auto drawn = workspace.drawn;
  const auto rows = selection.rows;
  const auto scale = selection.scale;
  Kokkos::parallel_for(
      label, slots, KOKKOS_LAMBDA(const int slot) {
        const double total = static_cast<double>(cumulative(last));
        const double target = uniform_open(draw, static_cast<std::uint64_t>(slot)) * total;
        // Counting sorts the largest first, so the rows are negated.
        drawn(slot) = -find_row(cumulative, static_cast<std::uint64_t>(target));
      });
  const auto order = Kokkos::subview(workspace.order, std::pair<int, int>(0, rank));
  rank_keys(label, space, drawn, order);
  Kokkos::parallel_for(
      label, slots, KOKKOS_LAMBDA(const int slot) {
        const int row = -drawn(slot);
        const std::uint64_t weight = cumulative(row) - (row > 0 ? cumulative(row - 1) : 0);
        const double expected = rank * static_cast<double>(weight) / static_cast<double>(cumulative(last));
        rows(order(slot)) = row;
        scale(order(slot)) = static_cast<float>(1 / Kokkos::sqrt(expected));
      });
}

}  // namespace Sward
