#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// In place of codes that are not wanted.
struct NoCodes {};

/// Kernels that hold rows in registers: a row is shared by `sharing` threads with their lanes, by all of a team or by
/// one of a team that has a row for each thread. A lane holds packs of N, from its first column on, `step` columns
/// apart. On hosts a team is one thread with one lane.
template <class ExecutionSpace, int sharing_, int N, int threads_at_once>
struct RowTeams {
  static constexpr int sharing = sharing_;
  static constexpr int size = runs_on_host<ExecutionSpace> ? 1 : (sharing > 1 ? sharing : 8);
  static constexpr int lanes = vector_lanes<ExecutionSpace>;
  static constexpr int step = runs_on_host<ExecutionSpace> ? N : N * sharing * lanes;
  /// So many threads of a multiprocessor's are to find room for their registers.
  using Policy =
      Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<size * lanes, threads_at_once / (size * lanes)>>;
  using Team = typename Policy::member_type;
  /// Where threads that share a row show each other their maxima.
  using Maxima = Kokkos::View<std::uint32_t*, typename ExecutionSpace::scratch_memory_space,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  /// Of a kernel over so many rows.
  static Policy policy(const ExecutionSpace& space, std::size_t rows) {
    const int count = static_cast<int>(rows);
    Policy result(space, sharing > 1 ? count : (count + size - 1) / size, size, lanes);
    if (sharing > 1) result.set_scratch_size(0, Kokkos::PerTeam(Maxima::shmem_size(size)));
    return result;
  }
  /// The row of this thread, which may be beyond the last one.
  KOKKOS_FUNCTION static int row(const Team& team) {
    return sharing > 1 ? team.league_rank() : team.league_rank() * size + team.team_rank();
  }
  /// Not a loop over lanes around each step: on GPUs one costs as much as some of the steps.
  KOKKOS_FUNCTION static int lane(const Team& team) {
    int own = 0;
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) { own = lane; });
    return own;
  }
  KOKKOS_FUNCTION static int first_column(const Team& team, int lane) {
    return ((sharing > 1 ? team.team_rank() * lanes : 0) + lane) * N;
  }
};

/// The N elements from `column` on of a row that starts at `row`, which must be packable, or zeros beyond its end.
template <int N, class T>
KOKKOS_INLINE_FUNCTION Pack<std::remove_const_t<T>, N> load_pack_or_zeros(T* row, int column, int columns) {
  // In words, or compilers set each element to zero by itself.
  constexpr int words = static_cast<int>(N * sizeof(T) / sizeof(std::uint32_t));
  Pack<std::uint32_t, words> result{};
  if (column < columns) result = load_pack<words>(reinterpret_cast<const std::uint32_t*>(row + column));
  return Kokkos::bit_cast<Pack<std::remove_const_t<T>, N>>(result);
}

/// What this lane holds of a row that starts at `row`. All loads start before one is waited for.
template <class Teams, class Stored, int N, int count, class T>
KOKKOS_INLINE_FUNCTION void load_row(Pack<Stored, N> (&x)[count], T* row, int first, int columns) {
  SWARD_UNROLL
  for (int k = 0; k < count; ++k) x[k] = load_pack_or_zeros<N>(row, first + k * Teams::step, columns);
}

/// In the upper half the bits of the bfloat16 next to x on the side of zero, but with its last bit set if it is not x.
KOKKOS_INLINE_FUNCTION std::uint32_t odd_unless_exact(float x) {
  const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(x);
  // A carry out of the lower half shows in the last bit of the upper one.
  return bits | (((bits + 0xffffU) ^ bits) & 0x10000U);
}

/// The upper halves of two words, the first in the lower half.
KOKKOS_INLINE_FUNCTION std::uint32_t upper_halves(std::uint32_t first, std::uint32_t second) {
#if defined(__CUDA_ARCH__)
  return __byte_perm(first, second, 0x7632);
#else
  return first >> 16 | (second & 0xffff0000U);
#endif
}

/// x times factors that are powers of two or zero, in x's type, such that its codes are those of the products in float.
/// A product of a bfloat16 is one itself, unless it is below 2^-126 and between two, 2^-133 apart. The odd one of them
/// is on the same side of each tie between codes, since those are multiples of 2^-130 (float8_scale).
template <class T, int N>
KOKKOS_INLINE_FUNCTION Pack<T, N> multiply_for_codes(const Pack<T, N>& x, const Pack<float, N>& factor) {
  auto products = convert_pack<float>(x);
  SWARD_UNROLL
  for (int e = 0; e < N; ++e) products[e] *= factor[e];
  if constexpr (std::is_same_v<T, BFloat16>) {
    Pack<std::uint32_t, N / 2> pairs;
    SWARD_UNROLL
    for (int e = 0; e < N; e += 2)
      pairs[e / 2] = upper_halves(odd_unless_exact(products[e]), odd_unless_exact(products[e + 1]));
    return Kokkos::bit_cast<Pack<T, N>>(pairs);
  } else {
    return products;
  }
}

/// The bits of the largest magnitude that this lane holds. They have the order of the magnitudes, and those of NaN are
/// above all others, where a maximum of floats would pass over NaN.
template <class T, int N, int count>
KOKKOS_INLINE_FUNCTION std::uint32_t largest_magnitude(const Pack<T, N> (&x)[count]) {
  std::uint32_t largest = 0;
#if defined(__CUDA_ARCH__)
  // What compilers do not find by themselves: two elements an instruction.
  if constexpr (std::is_same_v<T, BFloat16>) {
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const auto pairs = Kokkos::bit_cast<Pack<std::uint32_t, N / 2>>(x[k]);
      SWARD_UNROLL
      for (int e = 0; e < N / 2; ++e) largest = __vmaxu2(largest, pairs[e] & 0x7fff7fffU);
    }
    return Kokkos::max(largest & 0xffff0000U, largest << 16);
  } else
#endif
  {
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const auto values = convert_pack<float>(x[k]);
      SWARD_UNROLL
      for (int e = 0; e < N; ++e)
        largest = Kokkos::max(largest, Kokkos::bit_cast<std::uint32_t>(values[e]) & 0x7fffffffU);
    }
    return largest;
  }
}

/// The largest number that lanes of a thread have, for all of them.
template <class Team>
KOKKOS_INLINE_FUNCTION std::uint32_t largest_of_lanes([[maybe_unused]] const Team& team, std::uint32_t own) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  // A team of a host space is compiled for the device too.
  if constexpr (vector_lanes<typename Team::execution_space> == 32) {
    return __reduce_max_sync(0xffffffffU, own);
  } else
#endif
  {
    std::uint32_t largest = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, vector_lanes<typename Team::execution_space>),
        [&](int, std::uint32_t& maximum) { maximum = Kokkos::max(own, maximum); }, Kokkos::Max<std::uint32_t>(largest));
    return largest;
  }
}

/// The scale that float8_scale gives the row, for all that share it, from the largest_magnitude of what each holds.
/// Once in a kernel, and by all threads of a team where they share a row.
template <class Teams>
KOKKOS_INLINE_FUNCTION float row_scale(const typename Teams::Team& team, int lane, std::uint32_t own) {
  std::uint32_t largest = largest_of_lanes(team, own);
  if constexpr (Teams::sharing > 1) {
    const typename Teams::Maxima maxima(team.team_scratch(0), Teams::size);
    if (lane == 0) maxima(team.team_rank()) = largest;
    team.team_barrier();
    SWARD_UNROLL
    for (int t = 0; t < Teams::size; ++t) largest = Kokkos::max(largest, maxima(t));
  }
  return float8_scale(Kokkos::bit_cast<float>(largest));
}

/// Writes the codes of a pack divided by the scale whose inverse this is.
template <class T, int N>
KOKKOS_INLINE_FUNCTION void store_pack_codes(Pack<T, N>& x, float inverse, Float8* target) {
  forget_conversions(x);
  auto quotients = convert_pack<float>(x);
  SWARD_UNROLL
  for (int e = 0; e < N; ++e) quotients[e] *= inverse;
  store_pack(convert_pack<Float8>(quotients), target);
}

/// Writes the codes of what this lane holds, from its `first` column on, into a row of so many columns.
template <int step, class T, int N, int count>
KOKKOS_INLINE_FUNCTION void store_codes(Pack<T, N> (&x)[count], float scale, Float8* row, int first, int columns) {
  const float inverse = 1 / scale;
  SWARD_UNROLL
  for (int k = 0; k < count; ++k) {
    if (first + k * step < columns) store_pack_codes(x[k], inverse, row + first + k * step);
  }
}

/// Writes codes and scale of the row that is held, with zeros beyond its end.
template <class Teams, class T, int N, int count, class Codes>
KOKKOS_INLINE_FUNCTION void write_codes(const typename Teams::Team& team, int lane, Pack<T, N> (&x)[count],
                                        const Codes& codes, int row) {
  const int first = Teams::first_column(team, lane);
  const float scale = row_scale<Teams>(team, lane, largest_magnitude(x));
  store_codes<Teams::step>(x, scale, &codes.codes(row, 0), first, static_cast<int>(codes.extent(1)));
  if (first == 0) codes.scale(row) = scale;
}

}  // namespace Sward
