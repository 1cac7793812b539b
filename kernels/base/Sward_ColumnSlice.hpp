#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Columns of a matrix that its maker writes to a second place too, next to each other: values(i, s) = matrix(i,
/// columns(s)). Without columns there is nothing to write.
template <class ExecutionSpace, class Scalar>
struct ColumnSlice {
  using Columns =
      Kokkos::View<const int*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Values = Kokkos::View<Scalar**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  Columns columns;
  Values values;

  KOKKOS_FUNCTION bool is_empty() const { return columns.extent(0) == 0; }
};

/// Throws ExtentError unless the slice is empty or is one of a matrix with so many rows.
template <class ExecutionSpace, class Scalar>
void require_slice(const char* function, const char* argument, const ColumnSlice<ExecutionSpace, Scalar>& slice,
                   std::size_t rows) {
  if (slice.is_empty()) return;
  require_extents(function, argument, {slice.values.extent(0), slice.values.extent(1)},
                  {rows, slice.columns.extent(0)});
}

/// Writes `count` rows of a slice, from `first` on, by all threads of a team: element(i, column) is the matrix's
/// element in row first + i.
template <class Team, class Slice, class Element>
KOKKOS_INLINE_FUNCTION void write_slice(const Team& team, const Slice& slice, int first, int count,
                                        const Element& element) {
  for_each_chunk(team, static_cast<int>(slice.columns.extent(0)), [&](const int begin, const int end) {
    for (int i = 0; i < count; ++i) {
      SWARD_INDEPENDENT_ITERATIONS
      for (int s = begin; s < end; ++s) slice.values(first + i, s) = element(i, slice.columns(s));
    }
  });
}

}  // namespace Sward
