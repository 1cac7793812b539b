#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Parts of a vector that lie one behind the other: part p ends where part p + 1 begins.
struct VectorParts {
  static constexpr int most = 16;
  int count = 0;
  std::size_t ends[most] = {};  // std::array has no functions for devices

  /// Another part of so many elements, behind the last one. Throws std::invalid_argument when there are `most`.
  void add(std::size_t length) {
    require(count < most, "Sward::VectorParts", "there must be 1 to 16 parts");
    ends[count] = (count == 0 ? 0 : ends[count - 1]) + length;
    ++count;
  }
  KOKKOS_INLINE_FUNCTION std::size_t begin(int part) const { return part == 0 ? 0 : ends[part - 1]; }
  std::size_t extent() const { return count == 0 ? 0 : ends[count - 1]; }
};

/// Calls sum(parts, elements, numbers) for parts of these lengths, as many at a time as VectorParts holds; `elements`
/// and `numbers` are the pairs of first and end of their elements and of their numbers.
template <class Sum>
void for_each_launch(const std::vector<std::size_t>& lengths, const Sum& sum) {
  constexpr auto most = static_cast<std::size_t>(VectorParts::most);
  std::size_t begin = 0;
  for (std::size_t first = 0; first < lengths.size(); first += most) {
    const std::size_t end = std::min(first + most, lengths.size());
    VectorParts parts;
    for (std::size_t part = first; part < end; ++part) parts.add(lengths[part]);
    sum(parts, std::pair(begin, begin + parts.extent()), std::pair(first, end));
    begin += parts.extent();
  }
}

/// The most slices that a part is summed in.
template <class ExecutionSpace>
inline constexpr int most_part_slices = runs_on_host<ExecutionSpace> ? 8 : 512;

/// Elements of the workspace of part_sums.
template <class ExecutionSpace>
inline constexpr std::size_t part_sums_workspace = std::size_t{VectorParts::most} * most_part_slices<ExecutionSpace>;

/// Slices of each of these parts: so many that one of the longest part has some 16,000 elements, or more.
template <class ExecutionSpace>
int part_slices(const VectorParts& parts) {
  std::size_t longest = 0;
  for (int part = 0; part < parts.count; ++part) longest = std::max(longest, parts.ends[part] - parts.begin(part));
  return static_cast<int>(
      std::clamp(longest / 16384, std::size_t{1}, static_cast<std::size_t>(most_part_slices<ExecutionSpace>)));
}

/// The sum of term(x) over the elements x from `begin` to `end`, in double, for all threads of the team. N is 1 unless
/// packs of N elements are aligned from `begin` on.
template <int N, class Team, class Values, class Term>
KOKKOS_INLINE_FUNCTION double team_slice_sum(const Team& team, const Values& values, std::size_t begin, std::size_t end,
                                             const Term& term) {
  if constexpr (runs_on_host<typename Team::execution_space>)
    return team_sum(team, static_cast<int>(end - begin), [&](const int i) {
      return term(static_cast<double>(values(begin + static_cast<std::size_t>(i))));
    });
  double total = 0;
  Kokkos::parallel_reduce(
      Kokkos::TeamVectorRange(team, (end - begin) / N),
      [&](const std::size_t i, double& sum) {
        const auto pack = load_pack<N>(&values(begin + i * N));
        SWARD_UNROLL
        for (int e = 0; e < N; ++e) sum += term(static_cast<double>(pack[e]));
      },
      total);
  for (std::size_t i = begin + (end - begin) / N * N; i < end; ++i) total += term(static_cast<double>(values(i)));
  return total;
}

/// sums(p) = the sum of term(x) over the elements x of part p, in double and in an order that is always the same.
/// `partials` is workspace of part_sums_workspace elements. Asynchronous on `space`. Throws ExtentError when the
/// extents do not fit together.
template <class ExecutionSpace, class Values, class Partials, class Sums, class Term>
SWARD_FILE_LOCAL void part_sums(const char* function, const ExecutionSpace& space, const Values& values,
                                const VectorParts& parts, const Partials& partials, const Sums& sums,
                                const Term& term) {
  static_assert(are_inputs<ExecutionSpace, Values>() && are_outputs<ExecutionSpace, Partials, Sums>());
  static_assert(Values::rank() == 1 && Partials::rank() == 1 && Sums::rank() == 1,
                "Sward::part_sums: values, partials and sums must be vectors");
  constexpr int N = runs_on_host<ExecutionSpace> ? 1 : pack_size<typename Values::non_const_value_type>;
  require(parts.count > 0 && parts.count <= VectorParts::most, function, "there must be 1 to 16 parts");
  require_extents(function, "values", {values.extent(0)}, {parts.extent()});
  require_extents(function, "sums", {sums.extent(0)}, {static_cast<std::size_t>(parts.count)});
  require_extents(function, "partials", {partials.extent(0)}, {part_sums_workspace<ExecutionSpace>});
  const int slices = part_slices<ExecutionSpace>(parts);
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  Kokkos::parallel_for(
      function, Policy(space, parts.count * slices, runs_on_host<ExecutionSpace> ? 1 : 256),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int part = team.league_rank() / slices;
        const auto pieces = static_cast<std::size_t>(slices);
        const std::size_t length = parts.ends[part] - parts.begin(part);
        // Whole packs, so that a slice begins where one does if its part does.
        const std::size_t share = (length + pieces * N - 1) / (pieces * N) * N;
        const std::size_t first = share * static_cast<std::size_t>(team.league_rank() % slices);
        const std::size_t begin = parts.begin(part) + (first < length ? first : length);
        const std::size_t end = first + share < length ? parts.begin(part) + first + share : parts.ends[part];
        const bool is_packed = values.stride(0) == 1 && reinterpret_cast<std::uintptr_t>(&values(0) + begin) % 16 == 0;
        const double sum = is_packed ? team_slice_sum<N>(team, values, begin, end, term)
                                     : team_slice_sum<1>(team, values, begin, end, term);
        Kokkos::single(Kokkos::PerTeam(team), [&] { partials(team.league_rank()) = sum; });
      });
  Kokkos::parallel_for(
      std::string(function) + "::sum", row_policy(space, parts.count),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int part = team.league_rank();
        const double sum = team_sum(team, slices, [&](const int slice) { return partials(part * slices + slice); });
        Kokkos::single(Kokkos::PerTeam(team), [&] { sums(part) = sum; });
      });
}

/// The same of the elements themselves.
template <class ExecutionSpace, class Values, class Partials, class Sums>
SWARD_FILE_LOCAL void part_sums(const ExecutionSpace& space, const Values& values, const VectorParts& parts,
                                const Partials& partials, const Sums& sums) {
  part_sums(
      "Sward::part_sums", space, values, parts, partials, sums, KOKKOS_LAMBDA(const double value) { return value; });
}

}  // namespace Sward
