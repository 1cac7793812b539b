#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_Check.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Parts of a vector that lie one behind the other: part p ends where part p + 1 begins.
struct VectorParts {
  static constexpr int most = 16;
  int count = 0;
  std::size_t ends[most] = {};  // std::array has no functions for devices

  KOKKOS_INLINE_FUNCTION std::size_t begin(int part) const { return part == 0 ? 0 : ends[part - 1]; }
};

/// Partial sums that squared_norms makes of each part.
template <class ExecutionSpace>
inline constexpr int squared_norm_slices = runs_on_host<ExecutionSpace> ? 8 : 64;

/// The sum of the squares of the elements from `begin` to `end`, in double, for all threads of the team. N is 1 unless
/// packs of N elements are aligned from `begin` on.
template <int N, class Team, class Values>
KOKKOS_INLINE_FUNCTION double team_squared_norm(const Team& team, const Values& values, std::size_t begin,
                                                std::size_t end) {
  const auto square = [](const auto element) {
    const double value = static_cast<double>(element);
    return value * value;
  };
  if constexpr (runs_on_host<typename Team::execution_space>)
    return team_sum(team, static_cast<int>(end - begin),
                    [&](const int i) { return square(values(begin + static_cast<std::size_t>(i))); });
  double total = 0;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, (end - begin) / N),
      [&](const std::size_t i, double& sum) {
        const auto pack = load_pack<N>(&values(begin + i * N));
        SWARD_UNROLL
        for (int e = 0; e < N; ++e) sum += square(pack[e]);
      },
      total);
  for (std::size_t i = begin + (end - begin) / N * N; i < end; ++i) total += square(values(i));
  return total;
}

/// squares(p) = the sum of the squares of the elements of part p, in double and in an order that is always the same.
/// `partials` is workspace of VectorParts::most * squared_norm_slices elements. Asynchronous on `space`.
/// Throws ExtentError when the extents do not fit together.
template <class ExecutionSpace, class Values, class Partials, class Squares>
void squared_norms(const ExecutionSpace& space, const Values& values, const VectorParts& parts,
                   const Partials& partials, const Squares& squares) {
  static_assert(Values::rank() == 1 && Partials::rank() == 1 && Squares::rank() == 1,
                "Sward::squared_norms: values, partials and squares must be vectors");
  constexpr int slices = squared_norm_slices<ExecutionSpace>;
  constexpr int N = runs_on_host<ExecutionSpace> ? 1 : pack_size<typename Values::non_const_value_type>;
  const char* const function = "Sward::squared_norms";
  const auto count = static_cast<std::size_t>(parts.count);
  require(count > 0 && count <= VectorParts::most, function, "there must be 1 to 16 parts");
  require_extents(function, "values", {values.extent(0)}, {parts.ends[count - 1]});
  require_extents(function, "squares", {squares.extent(0)}, {count});
  require_extents(function, "partials", {partials.extent(0)}, {std::size_t{VectorParts::most} * slices});
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  Kokkos::parallel_for(
      function, Policy(space, parts.count * slices, runs_on_host<ExecutionSpace> ? 1 : 256),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int part = team.league_rank() / slices;
        const std::size_t length = parts.ends[part] - parts.begin(part);
        // Whole packs, so that a slice begins where one does if its part does.
        const std::size_t share = (length + slices * N - 1) / (slices * N) * N;
        const std::size_t first = share * static_cast<std::size_t>(team.league_rank() % slices);
        const std::size_t begin = parts.begin(part) + (first < length ? first : length);
        const std::size_t end = first + share < length ? parts.begin(part) + first + share : parts.ends[part];
        const bool is_aligned = reinterpret_cast<std::uintptr_t>(&values(0) + begin) % 16 == 0;
        const double sum = is_aligned ? team_squared_norm<N>(team, values, begin, end)
                                      : team_squared_norm<1>(team, values, begin, end);
        Kokkos::single(Kokkos::PerTeam(team), [&] { partials(team.league_rank()) = sum; });
      });
  Kokkos::parallel_for(
      "Sward::squared_norms::sum", Kokkos::RangePolicy<ExecutionSpace>(space, 0, parts.count),
      KOKKOS_LAMBDA(const int part) {
        double sum = 0;
        for (int slice = 0; slice < slices; ++slice) sum += partials(part * slices + slice);
        squares(part) = sum;
      });
}

}  // namespace Sward
