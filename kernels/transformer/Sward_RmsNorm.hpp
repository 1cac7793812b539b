#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// rms_norm for rows of up to N * count * lanes elements: a thread with its lanes holds a row in registers, so that it
/// is read once.
template <int N, int count, class ExecutionSpace, class Input, class Weight, class InverseRms, class Output>
SWARD_FILE_LOCAL void rms_norm_in_registers(const ExecutionSpace& space, const Input& input, const Weight& weight,
                                            double epsilon, const InverseRms& inverse_rms, const Output& output) {
  using Scalar = typename Output::non_const_value_type;
  using Stored = typename Input::non_const_value_type;
  using Sum = SumTerm<Stored>;
  constexpr int lanes = vector_lanes<ExecutionSpace>;
  constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : 8;
  const int rows = static_cast<int>(input.extent(0));
  const int columns = static_cast<int>(input.extent(1));
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<team_size * lanes, 1>>;
  Kokkos::parallel_for(
      "Sward::rms_norm", Policy(space, (rows + team_size - 1) / team_size, team_size, lanes),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int row = team.league_rank() * team_size + team.team_rank();
        if (row >= rows) return;
        Pack<Stored, N> x[count];
        Sum squares = 0;
        Kokkos::parallel_reduce(
            Kokkos::ThreadVectorRange(team, lanes),
            [&](const int lane, Sum& sum) {
              SWARD_UNROLL
              for (int k = 0; k < count; ++k) {
                const int j = (k * lanes + lane) * N;
                if (j < columns) x[k] = load_pack<N>(&input(row, j));
              }
              SWARD_UNROLL
              for (int k = 0; k < count; ++k) {
                if ((k * lanes + lane) * N >= columns) continue;
                Sum part = 0;
                SWARD_UNROLL
                for (int e = 0; e < N; ++e) part += static_cast<Sum>(x[k][e]) * static_cast<Sum>(x[k][e]);
                sum += part;
              }
            },
            squares);
        const auto mean = squares / static_cast<Sum>(columns);
        const auto inverse = static_cast<Real<Scalar>>(1 / Kokkos::sqrt(mean + static_cast<Sum>(epsilon)));
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
          SWARD_UNROLL
          for (int k = 0; k < count; ++k) {
            const int j = (k * lanes + lane) * N;
            if (j >= columns) continue;
            forget_conversions(x[k]);
            const auto factor = load_pack<N>(&weight(j));
            Pack<Real<Scalar>, N> result;
            SWARD_UNROLL
            for (int e = 0; e < N; ++e) result[e] = x[k][e] * inverse * factor[e];
            store_pack(convert_pack<Scalar>(result), &output(row, j));
          }
        });
        Kokkos::single(Kokkos::PerThread(team), [&] { inverse_rms(row) = inverse; });
      });
}

/// rms_norm for rows of any length, which are read twice.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output>
SWARD_FILE_LOCAL void rms_norm_in_two_passes(const ExecutionSpace& space, const Input& input, const Weight& weight,
                                             double epsilon, const InverseRms& inverse_rms, const Output& output) {
  using Scalar = typename Output::non_const_value_type;
  using Sum = SumTerm<typename Input::non_const_value_type>;
  const int columns = static_cast<int>(input.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::rms_norm", row_policy(space, static_cast<int>(input.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double squares = team_sum(team, columns, [&](const int j) {
          const Sum x = input(row, j);
          return x * x;
        });
        const auto inverse = static_cast<Real<Scalar>>(1 / Kokkos::sqrt(squares / columns + epsilon));
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j) output(row, j) = static_cast<Scalar>(input(row, j) * inverse * weight(j));
        });
        Kokkos::single(Kokkos::PerTeam(team), [&] { inverse_rms(row) = inverse; });
      });
}

/// Throws ExtentError unless the operands of rms_norm fit.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output>
void check_rms_norm(const Input& input, const Weight& weight, const InverseRms& inverse_rms, const Output& output) {
  static_assert(are_inputs<ExecutionSpace, Input, Weight>() && are_outputs<ExecutionSpace, InverseRms, Output>());
  static_assert(Input::rank() == 2 && Weight::rank() == 1 && InverseRms::rank() == 1 && Output::rank() == 2,
                "Sward::rms_norm: input and output must be matrices, weight and inverse_rms vectors");
  require_extents("Sward::rms_norm", "weight", {weight.extent(0)}, {input.extent(1)});
  require_extents("Sward::rms_norm", "inverse_rms", {inverse_rms.extent(0)}, {input.extent(0)});
  require_extents("Sward::rms_norm", "output", {output.extent(0), output.extent(1)},
                  {input.extent(0), input.extent(1)});
}

/// output(i, j) = input(i, j) * inverse_rms(i) * weight(j), inverse_rms(i) = 1 / sqrt(mean_j input(i, j)^2 + epsilon).
/// input and output are b x n, weight has n and inverse_rms b elements; output may be input.
/// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv 1910.07467.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output>
void rms_norm(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
              const InverseRms& inverse_rms, const Output& output) {
  check_rms_norm<ExecutionSpace>(input, weight, inverse_rms, output);
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Input::non_const_value_type>;
    constexpr std::size_t row_of_one = N * vector_lanes<ExecutionSpace>;
    if (is_packable<N>(input) && is_packable<N>(weight) && is_packable<N>(output)) {
      const std::size_t columns = input.extent(1);
      if (columns <= 2 * row_of_one)
        return rms_norm_in_registers<N, 2>(space, input, weight, epsilon, inverse_rms, output);
      if (columns <= 8 * row_of_one)
        return rms_norm_in_registers<N, 8>(space, input, weight, epsilon, inverse_rms, output);
      if (columns <= 32 * row_of_one)
        return rms_norm_in_registers<N, 32>(space, input, weight, epsilon, inverse_rms, output);
    }
  }
  rms_norm_in_two_passes(space, input, weight, epsilon, inverse_rms, output);
}

}  // namespace Sward
