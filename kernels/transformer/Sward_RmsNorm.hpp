#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <type_traits>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_RowCodes.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// A row of rms_norm, with its codes where they are wanted. No lambda, for the reason given in Sward_QuantizeRows.hpp.
template <int N, int count, class ExecutionSpace, class Input, class Weight, class InverseRms, class Output,
          class Codes>
struct RmsNormRow {
  using Scalar = typename Output::non_const_value_type;
  using Sum = SumTerm<Scalar>;
  using Teams = RowTeams<ExecutionSpace, 1, N, count <= 8 ? 768 : (count <= 24 ? 512 : 256)>;

  Input input;
  Weight weight;
  double epsilon;
  InverseRms inverse_rms;
  Output output;
  Codes codes;

  KOKKOS_FUNCTION void operator()(const typename Teams::Team& team) const {
    const int row = Teams::row(team);
    if (row >= static_cast<int>(input.extent(0))) return;
    const int columns = static_cast<int>(input.extent(1));
    const int lane = Teams::lane(team);
    const int first = Teams::first_column(team, lane);
    Pack<Scalar, N> x[count];
    load_row<Teams>(x, &input(row, 0), first, columns);
    const auto mean = sum_of_squares(team, x) / static_cast<Sum>(columns);
    const auto inverse = static_cast<Real<Scalar>>(1 / Kokkos::sqrt(mean + static_cast<Sum>(epsilon)));
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const int column = first + k * Teams::step;
      if (column >= columns) continue;
      forget_conversions(x[k]);
      const auto factor = load_pack<N>(&weight(column));
      Pack<Real<Scalar>, N> result;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) result[e] = x[k][e] * inverse * factor[e];
      x[k] = convert_pack<Scalar>(result);
      store_pack(x[k], &output(row, column));
    }
    if constexpr (!std::is_same_v<Codes, NoCodes>) write_codes<Teams>(team, lane, x, codes, row);
    if (first == 0) inverse_rms(row) = inverse;
  }

  /// Of the row that the thread holds, for all its lanes.
  template <class Packs>
  KOKKOS_FUNCTION static Sum sum_of_squares(const typename Teams::Team& team, const Packs& x) {
    Sum own = 0;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      Sum part = 0;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) part += static_cast<Sum>(x[k][e]) * static_cast<Sum>(x[k][e]);
      own += part;
    }
    Sum squares = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, Teams::lanes), [&](int, Sum& sum) { sum += own; }, squares);
    return squares;
  }
};

/// rms_norm for rows of up to count * step elements, which a thread with its lanes holds in registers, so that they are
/// read once.
template <int N, int count, class ExecutionSpace, class Input, class Weight, class InverseRms, class Output,
          class Codes = NoCodes>
void rms_norm_in_registers(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
                           const InverseRms& inverse_rms, const Output& output, const Codes& codes = {}) {
  using Kernel = RmsNormRow<N, count, ExecutionSpace, Input, Weight, InverseRms, Output, Codes>;
  Kokkos::parallel_for("Sward::rms_norm", Kernel::Teams::policy(space, input.extent(0)),
                       Kernel{input, weight, epsilon, inverse_rms, output, codes});
}

/// Whether rms_norm_in_registers took these operands: rows of packs, not too long, on GPUs.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output, class Codes>
bool took_rows_in_registers(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
                            const InverseRms& inverse_rms, const Output& output, const Codes& codes) {
  using Scalar = typename Output::non_const_value_type;
  if constexpr (!runs_on_host<ExecutionSpace> && std::is_same_v<typename Input::non_const_value_type, Scalar>) {
    constexpr int N = pack_size<Scalar>;
    constexpr std::size_t of_one = vector_lanes<ExecutionSpace> * N;
    const std::size_t columns = input.extent(1);
    if (!is_packable<N>(input) || !is_packable<N>(weight) || !is_packable<N>(output)) return false;
    constexpr bool has_codes = !std::is_same_v<Codes, NoCodes>;
    if constexpr (has_codes)
      if (!is_packable<N>(codes.codes)) return false;
    const auto call = [&](auto count) {
      rms_norm_in_registers<N, count()>(space, input, weight, epsilon, inverse_rms, output, codes);
      return true;
    };
    if (columns <= 2 * of_one) return call(std::integral_constant<int, 2>());
    if (columns <= 8 * of_one) return call(std::integral_constant<int, 8>());
    if (columns <= 16 * of_one) return call(std::integral_constant<int, 16>());
    if constexpr (!has_codes) {
      if (columns <= 24 * of_one) return call(std::integral_constant<int, 24>());
      if (columns <= 32 * of_one) return call(std::integral_constant<int, 32>());
    }
  }
  return false;
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
  if (!took_rows_in_registers(space, input, weight, epsilon, inverse_rms, output, NoCodes()))
    rms_norm_in_two_passes(space, input, weight, epsilon, inverse_rms, output);
}

}  // namespace Sward
