#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_TeamChunks.hpp"

namespace Sward {

/// The sum of the squares of a matrix's elements, in double, into a view of rank 0. Asynchronous on `space`.
template <class ExecutionSpace, class Values, class Result>
void squared_norm(const ExecutionSpace& space, const Values& values, const Result& result) {
  static_assert(Values::rank() == 2, "Sward::squared_norm: values must be a matrix");
  static_assert(Result::rank() == 0, "Sward::squared_norm: result must be a view of rank 0");
  const int rows = static_cast<int>(values.extent(0));
  const int columns = static_cast<int>(values.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_reduce(
      "Sward::squared_norm", row_policy(space, rows),
      KOKKOS_LAMBDA(const Member& team, double& total) {
        const int row = team.league_rank();
        const double square = team_sum(team, columns, [&](const int j) {
          const double value = static_cast<double>(values(row, j));
          return value * value;
        });
        Kokkos::single(Kokkos::PerTeam(team), [&] { total += square; });
      },
      result);
}

}  // namespace Sward
