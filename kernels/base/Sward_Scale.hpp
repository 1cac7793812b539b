#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_PackPlaces.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// scale in packs of N.
template <int N, class ExecutionSpace, class View>
SWARD_FILE_LOCAL void scale_packs(const ExecutionSpace& space, const View& view, RealOf<View> factor) {
  using Scalar = typename View::non_const_value_type;
  constexpr int count = 4;
  using Places = PackPlaces<N, count>;
  const int rows = static_cast<int>(view.extent(0));
  const int columns = static_cast<int>(view.extent(1));
  Kokkos::parallel_for(
      "Sward::scale", Places::policy(space, rows, columns),
      KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<ExecutionSpace>::member_type& team) {
        const Places places(team, rows, columns);
        Pack<Scalar, N> values[count];
        SWARD_UNROLL
        for (int k = 0; k < count; ++k)
          if (places.exists(k)) values[k] = load_pack<N>(&view(places.row(k), places.column(k)));
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) {
          if (!places.exists(k)) continue;
          Pack<Real<Scalar>, N> result;
          SWARD_UNROLL
          for (int e = 0; e < N; ++e) result[e] = values[k][e] * factor;
          store_pack(convert_pack<Scalar>(result), &view(places.row(k), places.column(k)));
        }
      });
}

/// Multiplies every element of a matrix by a factor. Asynchronous on `space`.
template <class ExecutionSpace, class View>
SWARD_FILE_LOCAL void scale(const ExecutionSpace& space, const View& view, RealOf<View> factor) {
  static_assert(are_outputs<ExecutionSpace, View>());
  static_assert(View::rank() == 2, "Sward::scale: the view must be a matrix");
  using Scalar = typename View::non_const_value_type;
  if constexpr (runs_on_host<ExecutionSpace>) {
    using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
    const int columns = static_cast<int>(view.extent(1));
    Kokkos::parallel_for(
        "Sward::scale", Policy(space, static_cast<int>(view.extent(0)), Kokkos::AUTO),
        KOKKOS_LAMBDA(const typename Policy::member_type& team) {
          const int row = team.league_rank();
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns),
                               [&](const int j) { view(row, j) = static_cast<Scalar>(view(row, j) * factor); });
        });
  } else {
    constexpr int N = pack_size<Scalar>;
    is_packable<N>(view) ? scale_packs<N>(space, view, factor) : scale_packs<1>(space, view, factor);
  }
}

}  // namespace Sward
