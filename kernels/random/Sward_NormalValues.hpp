#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Philox.hpp"

namespace Sward {

/// Fills a matrix with draws from N(0, deviation²). Element (i, j) is draw number i·columns + j, so the values do not
/// depend on the backend or the number of threads. Asynchronous on `space`.
template <class ExecutionSpace, class View>
SWARD_FILE_LOCAL void normal_values(const ExecutionSpace& space, Draw draw, double deviation, const View& view) {
  static_assert(are_outputs<ExecutionSpace, View>());
  static_assert(View::rank() == 2, "Sward::normal_values: the view must be a matrix");
  using Scalar = typename View::non_const_value_type;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  const int rows = static_cast<int>(view.extent(0));
  const int columns = static_cast<int>(view.extent(1));
  Kokkos::parallel_for(
      "Sward::normal_values", Policy(space, rows, Kokkos::AUTO),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int row = team.league_rank();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns), [&](const int j) {
          const std::uint64_t index =
              static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(columns) + static_cast<std::uint64_t>(j);
          view(row, j) = static_cast<Scalar>(deviation * normal(draw, index));
        });
      });
}

}  // namespace Sward
