#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_TeamChunks.hpp"

namespace Sward {

/// squared_norm that reads packs of N.
template <int N, class ExecutionSpace, class Values, class Result>
void squared_norm_of_packs(const ExecutionSpace& space, const Values& values, const Result& result) {
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_reduce(
      "Sward::squared_norm", row_policy(space, static_cast<int>(values.extent(0))),
      KOKKOS_LAMBDA(const Member& team, double& total) {
        const double squares = team_row_sum<N>(team, values, team.league_rank(), [](const auto element) {
          const double value = static_cast<double>(element);
          return value * value;
        });
        Kokkos::single(Kokkos::PerTeam(team), [&] { total += squares; });
      },
      result);
}

/// squared_norm of N * `count` elements that lie in a row: on GPUs threads take packs from all over, and few partial
/// sums are left to add.
template <int N, class ExecutionSpace, class Value, class Result>
void squared_norm_of_row(const ExecutionSpace& space, const Value* values, std::size_t count, const Result& result) {
  Kokkos::parallel_reduce(
      "Sward::squared_norm", Kokkos::RangePolicy<ExecutionSpace>(space, 0, count),
      KOKKOS_LAMBDA(const std::size_t i, double& total) {
        const auto pack = load_pack<N>(values + i * N);
        SWARD_UNROLL
        for (int e = 0; e < N; ++e) {
          const double value = static_cast<double>(pack[e]);
          total += value * value;
        }
      },
      result);
}

/// The sum of the squares of a matrix's elements, in double, into a view of rank 0. Asynchronous on `space`.
template <class ExecutionSpace, class Values, class Result>
void squared_norm(const ExecutionSpace& space, const Values& values, const Result& result) {
  static_assert(Values::rank() == 2, "Sward::squared_norm: values must be a matrix");
  static_assert(Result::rank() == 0, "Sward::squared_norm: result must be a view of rank 0");
  constexpr int N = runs_on_host<ExecutionSpace> ? 1 : pack_size<typename Values::non_const_value_type>;
  if constexpr (!runs_on_host<ExecutionSpace>) {
    const std::size_t elements = values.extent(0) * values.extent(1);
    if (values.span_is_contiguous() && elements % N == 0 && is_packable<N>(values))
      return squared_norm_of_row<N>(space, values.data(), elements / N, result);
  }
  is_packable<N>(values) ? squared_norm_of_packs<N>(space, values, result)
                         : squared_norm_of_packs<1>(space, values, result);
}

}  // namespace Sward
