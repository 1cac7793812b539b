#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <string>

#include "Sward_FileLocal.hpp"
#include "Sward_Pack.hpp"
#include "Sward_PackPlaces.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// copy_rows in packs of N. Rows outside of the source are read as its row 0, and then replaced.
template <int N, class ExecutionSpace, class Source, class SourceRow, class Target>
SWARD_FILE_LOCAL void copy_packed_rows(const std::string& label, const ExecutionSpace& space, const Source& source,
                                       const SourceRow& source_row, const Target& target) {
  using From = typename Source::non_const_value_type;
  using To = typename Target::non_const_value_type;
  constexpr int count = 4;
  using Places = PackPlaces<N, count>;
  const int rows = static_cast<int>(target.extent(0));
  const int columns = static_cast<int>(target.extent(1));
  Kokkos::parallel_for(
      label, Places::policy(space, rows, columns),
      KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<ExecutionSpace>::member_type& team) {
        const Places places(team, rows, columns);
        int from[count];
        Pack<From, N> values[count];
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) from[k] = places.exists(k) ? source_row(places.row(k)) : -1;
        SWARD_UNROLL
        for (int k = 0; k < count; ++k)
          if (from[k] >= 0) values[k] = load_pack<N>(&source(from[k], places.column(k)));
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) {
          if (!places.exists(k)) continue;
          Pack<To, N> result;
          SWARD_UNROLL
          for (int e = 0; e < N; ++e)
            result[e] = from[k] >= 0 ? static_cast<To>(values[k][e])
                                     : static_cast<To>(Kokkos::Experimental::quiet_NaN_v<Real<To>>);
          store_pack(result, &target(places.row(k), places.column(k)));
        }
      });
}

/// target(i, :) = source(source_row(i), :), or NaN where source_row is negative.
template <class ExecutionSpace, class Source, class SourceRow, class Target>
SWARD_FILE_LOCAL void copy_rows(const std::string& label, const ExecutionSpace& space, const Source& source,
                                const SourceRow& source_row, const Target& target) {
  using From = typename Source::non_const_value_type;
  using To = typename Target::non_const_value_type;
  if constexpr (runs_on_host<ExecutionSpace>) {
    const int columns = static_cast<int>(target.extent(1));
    Kokkos::parallel_for(
        label, row_policy(space, static_cast<int>(target.extent(0))),
        KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<ExecutionSpace>::member_type& team) {
          const int row = team.league_rank();
          const int from = source_row(row);
          for_each_chunk(team, columns, [&](const int begin, const int end) {
            if (from >= 0) {
              SWARD_INDEPENDENT_ITERATIONS
              for (int j = begin; j < end; ++j) target(row, j) = static_cast<To>(source(from, j));
            } else {
              const To none = static_cast<To>(Kokkos::Experimental::quiet_NaN_v<Real<To>>);
              for (int j = begin; j < end; ++j) target(row, j) = none;
            }
          });
        });
  } else {
    constexpr int N = std::max(pack_size<From>, pack_size<To>);
    if (is_packable<N>(source) && is_packable<N>(target)) {
      copy_packed_rows<N>(label, space, source, source_row, target);
    } else {
      copy_packed_rows<1>(label, space, source, source_row, target);
    }
  }
}

}  // namespace Sward
