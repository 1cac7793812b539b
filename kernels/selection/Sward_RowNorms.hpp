#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_ColumnSums.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Euclidean norms of the rows of an m x n matrix (side rows: m of them) or of its columns (n), summed in double in an
/// order that does not depend on the number of threads. Asynchronous on `space`.
template <class ExecutionSpace, class Values, class Norms>
void row_norms(const ExecutionSpace& space, const Values& values, Side side, const Norms& norms) {
  static_assert(Values::rank() == 2 && Norms::rank() == 1,
                "Sward::row_norms: values must be a matrix and norms a vector");
  using Norm = typename Norms::non_const_value_type;
  require_extents("Sward::row_norms", "norms", {norms.extent(0)}, {values.extent(side == Side::rows ? 0 : 1)});
  const int rows = static_cast<int>(values.extent(0));
  const int columns = static_cast<int>(values.extent(1));
  const auto square = KOKKOS_LAMBDA(const int i, const int j) {
    const double value = static_cast<double>(values(i, j));
    return value * value;
  };
  if (side == Side::columns) {
    column_sums(
        "Sward::row_norms", space, rows, columns, square,
        KOKKOS_LAMBDA(const int j, const double sum) { norms(j) = static_cast<Norm>(Kokkos::sqrt(sum)); });
    return;
  }
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::row_norms", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double sum = team_sum(team, columns, [&](const int j) { return square(row, j); });
        Kokkos::single(Kokkos::PerTeam(team), [&] { norms(row) = static_cast<Norm>(Kokkos::sqrt(sum)); });
      });
}

}  // namespace Sward
