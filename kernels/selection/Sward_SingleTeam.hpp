#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// A vector in scratch of a team.
template <class ExecutionSpace, class T>
using ScratchVector =
    Kokkos::View<T*, typename ExecutionSpace::scratch_memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// One team for a whole vector, for passes over it that depend on each other. A launch costs more than such a pass.
template <class ExecutionSpace>
auto single_team_policy(const ExecutionSpace& space) {
  constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 16;
  constexpr int lanes = vector_lanes<ExecutionSpace>;
  return Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<threads * lanes, 1>>(space, 1, threads, lanes);
}

/// The elements that a lane works on at once: `size` of them, far apart, so that it waits for their memory only once.
template <class ExecutionSpace>
struct Batches {
  static constexpr int size = runs_on_host<ExecutionSpace> ? 1 : 4;

  int elements;  ///< 1 or more

  KOKKOS_FUNCTION int count() const { return (elements + size - 1) / size; }
  /// Calls use(k, value(k)) for the elements k of a batch, all values before the first use.
  template <class Value, class Use>
  KOKKOS_INLINE_FUNCTION void for_each(int batch, const Value& value, const Use& use) const {
    decltype(value(0)) values[size];
    SWARD_UNROLL
    for (int i = 0; i < size; ++i) {
      const int k = batch + i * count();
      values[i] = value(k < elements ? k : elements - 1);
    }
    SWARD_UNROLL
    for (int i = 0; i < size; ++i) {
      const int k = batch + i * count();
      if (k < elements) use(k, values[i]);
    }
  }
};

/// Calls use(k, value(k)) for k from 0 to count - 1, in batches. Called by the whole team.
template <class Team, class Value, class Use>
KOKKOS_INLINE_FUNCTION void team_for(const Team& team, int count, const Value& value, const Use& use) {
  const Batches<typename Team::execution_space> batches{count};
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, batches.count()),
                       [&](const int batch) { batches.for_each(batch, value, use); });
}

/// Sets a vector to 0. Called by the whole team, which needs a barrier then.
template <class Team, class List>
KOKKOS_INLINE_FUNCTION void team_clear(const Team& team, const List& list) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, static_cast<int>(list.extent(0))),
                       [&](const int i) { list(i) = 0; });
}

}  // namespace Sward
