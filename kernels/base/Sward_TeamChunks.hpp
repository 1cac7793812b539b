#pragma once

#include <Kokkos_Core.hpp>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_Pack.hpp"

// Promises that the iterations of the loop that follows do not depend on each other (they may read and write the same
// element within one iteration), so that a compiler for hosts vectorizes without asking whether the operands overlap.
#if defined(__CUDA_ARCH__)
#define SWARD_INDEPENDENT_ITERATIONS
#elif defined(__clang__)
#define SWARD_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SWARD_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#else
#define SWARD_INDEPENDENT_ITERATIONS
#endif

// The same for loops over a few lanes, which gcc would unroll before it could vectorize them, and to keep twice as many
// of its iterations under way in a loop around such ones as the compiler would by itself.
#if defined(_OPENMP) && defined(__GNUC__) && !defined(__clang__) && !defined(__CUDACC__)
#define SWARD_LANES _Pragma("omp simd")
#define SWARD_UNROLL_ONCE _Pragma("GCC unroll 2")
#else
#define SWARD_LANES SWARD_INDEPENDENT_ITERATIONS
#define SWARD_UNROLL_ONCE
#endif

namespace Sward {

template <class ExecutionSpace>
inline constexpr bool runs_on_host = std::is_same_v<typename ExecutionSpace::memory_space, Kokkos::HostSpace>;

/// A policy of one team a row. The team size is fixed for each kind of machine, so that sums over a row are taken in
/// the same order whatever the number of threads.
template <class ExecutionSpace>
Kokkos::TeamPolicy<ExecutionSpace> row_policy(const ExecutionSpace& space, int rows) {
  return Kokkos::TeamPolicy<ExecutionSpace>(space, rows, runs_on_host<ExecutionSpace> ? 1 : 128);
}

/// Threads of a GPU that exchange values without memory, and take neighbouring packs; one thread on hosts.
template <class ExecutionSpace>
inline constexpr int vector_lanes = runs_on_host<ExecutionSpace> ? 1 : 32;

/// The type in which terms made of elements of type T are added up where there are many: double, but float for two-byte
/// storage, whose elements carry an error of 2^-8 already.
template <class T>
using SumTerm = std::conditional_t<std::is_same_v<std::remove_const_t<T>, BFloat16>, float, double>;

/// Calls function(begin, end) on pieces of [0, count), spread over the team. Pieces are long on hosts, where the loop
/// inside the function is to be vectorized, and of one element on GPUs, where neighbouring threads take neighbours.
template <class Team, class Function>
KOKKOS_INLINE_FUNCTION void for_each_chunk(const Team& team, int count, const Function& function) {
  constexpr int extent = runs_on_host<typename Team::execution_space> ? 256 : 1;
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, (count + extent - 1) / extent), [&](const int chunk) {
    const int begin = chunk * extent;
    function(begin, begin + extent < count ? begin + extent : count);
  });
}

/// Joins term(i) over [begin, end) for one thread in a fixed order: in lanes, then the lanes pairwise. The loop over
/// lanes has no dependences and vectorizes, as a running sum would not.
template <int lanes, class Value, class Term, class Join>
KOKKOS_INLINE_FUNCTION Value join_lanes(int begin, int end, Value neutral, const Term& term, const Join& join) {
  Value values[lanes];
  for (int lane = 0; lane < lanes; ++lane) values[lane] = neutral;
  int first = begin;
  for (; first + lanes <= end; first += lanes) {
    SWARD_INDEPENDENT_ITERATIONS
    for (int lane = 0; lane < lanes; ++lane) values[lane] = join(values[lane], term(first + lane));
  }
  for (int lane = 0; lane < end - first; ++lane) values[lane] = join(values[lane], term(first + lane));
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int lane = 0; lane < half; ++lane) values[lane] = join(values[lane], values[lane + half]);
  return values[0];
}

/// How team_sum and team_maximum cut a row: pieces of `extent`, joined by one thread in `lanes`.
template <class ExecutionSpace>
struct ReductionChunk {
  static constexpr int extent = runs_on_host<ExecutionSpace> ? 1024 : 1;
  // More than 16, up to which gcc unrolls the loop over lanes before it could vectorize it.
  static constexpr int lanes = runs_on_host<ExecutionSpace> ? 32 : 1;
};

/// The sum of term(i) over [0, count), for all threads of the team: at most 1024 neighbours are added in the terms' own
/// type, the rest in double. The order is the same at any number of threads.
template <class Team, class Term>
KOKKOS_INLINE_FUNCTION double team_sum(const Team& team, int count, const Term& term) {
  using Value = decltype(term(0));
  using Chunk = ReductionChunk<typename Team::execution_space>;
  constexpr int extent = Chunk::extent;
  double total = 0;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, (count + extent - 1) / extent),
      [&](const int chunk, double& sum) {
        const int begin = chunk * extent;
        const int end = begin + extent < count ? begin + extent : count;
        sum += static_cast<double>(
            join_lanes<Chunk::lanes>(begin, end, Value(0), term, [](const Value a, const Value b) { return a + b; }));
      },
      total);
  return total;
}

/// The sum of term(x) over the elements x of one row of a matrix, for all threads of the team; the row is read in packs
/// of N, which must be packable.
template <int N, class Team, class Values, class Term>
KOKKOS_INLINE_FUNCTION double team_row_sum(const Team& team, const Values& values, int row, const Term& term) {
  const int columns = static_cast<int>(values.extent(1));
  return team_sum(team, columns / N, [&](const int place) {
    const auto pack = load_pack<N>(&values(row, place * N));
    auto sum = term(pack[0]);
    SWARD_UNROLL
    for (int e = 1; e < N; ++e) sum += term(pack[e]);
    return sum;
  });
}

/// The largest of term(i) over [0, count), count > 0, for all threads of the team. NaN terms may be passed over.
template <class Team, class Term>
KOKKOS_INLINE_FUNCTION auto team_maximum(const Team& team, int count, const Term& term) {
  using Value = decltype(term(0));
  using Chunk = ReductionChunk<typename Team::execution_space>;
  constexpr int extent = Chunk::extent;
  constexpr Value lowest = -Kokkos::Experimental::infinity_v<Value>;
  Value largest = lowest;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, (count + extent - 1) / extent),
      [&](const int chunk, Value& maximum) {
        const int begin = chunk * extent;
        const int end = begin + extent < count ? begin + extent : count;
        const auto larger = [](const Value a, const Value b) { return a > b ? a : b; };
        maximum = larger(join_lanes<Chunk::lanes>(begin, end, lowest, term, larger), maximum);
      },
      Kokkos::Max<Value>(largest));
  return largest;
}

}  // namespace Sward
