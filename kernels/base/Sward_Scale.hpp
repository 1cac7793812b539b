#pragma once

#include <Kokkos_Core.hpp>

namespace Sward {

/// Multiplies every element of a matrix by a factor. Asynchronous on `space`.
template <class ExecutionSpace, class View>
void scale(const ExecutionSpace& space, const View& view, typename View::non_const_value_type factor) {
  static_assert(View::rank() == 2, "Sward::scale: the view must be a matrix");
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  const int rows = static_cast<int>(view.extent(0));
  const int columns = static_cast<int>(view.extent(1));
  Kokkos::parallel_for(
      "Sward::scale", Policy(space, rows, Kokkos::AUTO), KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int row = team.league_rank();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns), [&](const int j) { view(row, j) *= factor; });
      });
}

}  // namespace Sward
