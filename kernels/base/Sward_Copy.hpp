#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"

namespace Sward {

/// Copies a matrix into another of the same extents in the same memory. Asynchronous on `space`; unlike
/// Kokkos::deep_copy it carries our label. Throws ExtentError when the extents differ.
template <class ExecutionSpace, class Source, class Target>
void copy(const ExecutionSpace& space, const Source& source, const Target& target) {
  static_assert(Source::rank() == 2 && Target::rank() == 2, "Sward::copy: source and target must be matrices");
  require_extents("Sward::copy", "target", {target.extent(0), target.extent(1)}, {source.extent(0), source.extent(1)});
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  const int rows = static_cast<int>(source.extent(0));
  const int columns = static_cast<int>(source.extent(1));
  Kokkos::parallel_for(
      "Sward::copy", Policy(space, rows, Kokkos::AUTO), KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int row = team.league_rank();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns),
                             [&](const int j) { target(row, j) = source(row, j); });
      });
}

}  // namespace Sward
