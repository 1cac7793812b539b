#pragma once

#include <Kokkos_Core.hpp>

namespace Sward {

/// Sets every element of a vector or matrix. Asynchronous on `space`; unlike Kokkos::deep_copy it carries our label.
template <class ExecutionSpace, class View>
void fill(const ExecutionSpace& space, const View& view, typename View::non_const_value_type value) {
  static_assert(View::rank() == 1 || View::rank() == 2, "Sward::fill: the view must have rank 1 or 2");
  if constexpr (View::rank() == 1) {
    Kokkos::parallel_for(
        "Sward::fill", Kokkos::RangePolicy<ExecutionSpace>(space, 0, view.extent(0)),
        KOKKOS_LAMBDA(const std::size_t i) { view(i) = value; });
  } else {
    using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
    const int rows = static_cast<int>(view.extent(0));
    const int columns = static_cast<int>(view.extent(1));
    Kokkos::parallel_for(
        "Sward::fill", Policy(space, rows, Kokkos::AUTO), KOKKOS_LAMBDA(const typename Policy::member_type& team) {
          const int row = team.league_rank();
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns), [&](const int j) { view(row, j) = value; });
        });
  }
}

}  // namespace Sward
