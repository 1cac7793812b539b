#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_PackPlaces.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// fill of a matrix in packs of N.
template <int N, class ExecutionSpace, class View>
SWARD_FILE_LOCAL void fill_packs(const ExecutionSpace& space, const View& view,
                                 typename View::non_const_value_type value) {
  constexpr int count = 4;
  using Places = PackPlaces<N, count>;
  const int rows = static_cast<int>(view.extent(0));
  const int columns = static_cast<int>(view.extent(1));
  Kokkos::parallel_for(
      "Sward::fill", Places::policy(space, rows, columns),
      KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<ExecutionSpace>::member_type& team) {
        const Places places(team, rows, columns);
        Pack<typename View::non_const_value_type, N> pack;
        SWARD_UNROLL
        for (int e = 0; e < N; ++e) pack[e] = value;
        SWARD_UNROLL
        for (int k = 0; k < count; ++k)
          if (places.exists(k)) store_pack(pack, &view(places.row(k), places.column(k)));
      });
}

/// Sets every element of a vector or matrix. Asynchronous on `space`; unlike Kokkos::deep_copy it carries our label.
template <class ExecutionSpace, class View>
SWARD_FILE_LOCAL void fill(const ExecutionSpace& space, const View& view, RealOf<View> value) {
  static_assert(is_written<ExecutionSpace, View>());
  static_assert(View::rank() == 1 || View::rank() == 2, "Sward::fill: the view must have rank 1 or 2");
  using Scalar = typename View::non_const_value_type;
  const auto stored = static_cast<Scalar>(value);
  if constexpr (View::rank() == 1) {
    Kokkos::parallel_for(
        "Sward::fill", Kokkos::RangePolicy<ExecutionSpace>(space, 0, view.extent(0)),
        KOKKOS_LAMBDA(const std::size_t i) { view(i) = stored; });
  } else if constexpr (runs_on_host<ExecutionSpace>) {
    const int columns = static_cast<int>(view.extent(1));
    using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
    Kokkos::parallel_for(
        "Sward::fill", Policy(space, static_cast<int>(view.extent(0)), Kokkos::AUTO),
        KOKKOS_LAMBDA(const typename Policy::member_type& team) {
          const int row = team.league_rank();
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns), [&](const int j) { view(row, j) = stored; });
        });
  } else {
    constexpr int N = pack_size<Scalar>;
    is_packable<N>(view) ? fill_packs<N>(space, view, stored) : fill_packs<1>(space, view, stored);
  }
}

}  // namespace Sward
