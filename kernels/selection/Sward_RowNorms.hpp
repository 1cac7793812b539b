#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_ColumnSums.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// row_norms of rows that reads packs of N.
template <int N, class ExecutionSpace, class Values, class Norms>
SWARD_FILE_LOCAL void row_norms_of_packs(const ExecutionSpace& space, const Values& values, const Norms& norms) {
  using Norm = typename Norms::non_const_value_type;
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::row_norms", row_policy(space, static_cast<int>(values.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double sum = team_row_sum<N>(team, values, row, [](const auto element) {
          const double value = static_cast<double>(element);
          return value * value;
        });
        Kokkos::single(Kokkos::PerTeam(team), [&] { norms(row) = static_cast<Norm>(Kokkos::sqrt(sum)); });
      });
}

/// Euclidean norms of the rows of an m x n matrix (side rows: m of them) or of its columns (n), summed in double in an
/// order that does not depend on the number of threads. Asynchronous on `space`.
template <class ExecutionSpace, class Values, class Norms>
SWARD_FILE_LOCAL void row_norms(const ExecutionSpace& space, const Values& values, Side side, const Norms& norms) {
  static_assert(are_inputs<ExecutionSpace, Values>() && are_norms<ExecutionSpace, Norms>() &&
                is_written<ExecutionSpace, Norms>());
  static_assert(Values::rank() == 2 && Norms::rank() == 1,
                "Sward::row_norms: values must be a matrix and norms a vector");
  using Norm = typename Norms::non_const_value_type;
  require_extents("Sward::row_norms", "norms", {norms.extent(0)}, {values.extent(side == Side::rows ? 0 : 1)});
  if (side == Side::columns) {
    column_sums(
        "Sward::row_norms", space, static_cast<int>(values.extent(0)), static_cast<int>(values.extent(1)),
        KOKKOS_LAMBDA(const int i, const int j) {
          const double value = static_cast<double>(values(i, j));
          return value * value;
        },
        KOKKOS_LAMBDA(const int j, const double sum) { norms(j) = static_cast<Norm>(Kokkos::sqrt(sum)); });
    return;
  }
  constexpr int N = runs_on_host<ExecutionSpace> ? 1 : pack_size<typename Values::non_const_value_type>;
  is_packable<N>(values) ? row_norms_of_packs<N>(space, values, norms) : row_norms_of_packs<1>(space, values, norms);
}

}  // namespace Sward
