#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Float8Matrix.hpp"
#include "Sward_Pack.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_Real.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RowCodes.hpp"

namespace Sward {

/// A row of rms_norm with its codes. No lambda, for the reason given in Sward_QuantizeRows.hpp.
template <int N, int count, class ExecutionSpace, class Input, class Weight, class InverseRms, class Output,
          class Codes>
struct RmsNormRowWithCodes {
  using Scalar = typename Output::non_const_value_type;
  using Sum = SumTerm<typename Input::non_const_value_type>;
  static constexpr int team_size = row_team_size<ExecutionSpace, 1>;
  static constexpr int lanes = vector_lanes<ExecutionSpace>;
  static constexpr int step = row_step<ExecutionSpace, 1, N>;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<team_size * lanes, 1>>;

  Input input;
  Weight weight;
  double epsilon;
  InverseRms inverse_rms;
  Output output;
  Codes codes;

  KOKKOS_FUNCTION void operator()(const typename Policy::member_type& team) const {
    const int row = team.league_rank() * team_size + team.team_rank();
    if (row >= static_cast<int>(input.extent(0))) return;
    const int columns = static_cast<int>(input.extent(1));
    const int lane = own_lane(team);
    const int first = first_column<1, N>(team, lane);
    Pack<typename Input::non_const_value_type, N> x[count];
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) x[k] = load_pack_or_zeros<N>(&input(row, 0), first + k * step, columns);
    const auto mean = sum_of_squares(team, x) / static_cast<Sum>(columns);
    const auto inverse = static_cast<Real<Scalar>>(1 / Kokkos::sqrt(mean + static_cast<Sum>(epsilon)));
    Pack<Scalar, N> normed[count] = {};
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const int column = first + k * step;
      if (column >= columns) continue;
      forget_conversions(x[k]);
      const auto factor = load_pack<N>(&weight(column));
      Pack<Real<Scalar>, N> result;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) result[e] = x[k][e] * inverse * factor[e];
      normed[k] = convert_pack<Scalar>(result);
      store_pack(normed[k], &output(row, column));
    }
    const float scale = row_scale<1>(team, lane, largest_magnitude(normed));
    store_codes<step>(normed, scale, &codes.codes(row, 0), first, columns);
    if (first > 0) return;
    codes.scale(row) = scale;
    inverse_rms(row) = inverse;
  }

  /// In the order of rms_norm, for the same bits.
  template <class Packs>
  KOKKOS_FUNCTION static Sum sum_of_squares(const typename Policy::member_type& team, const Packs& x) {
    Sum squares = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, lanes),
        [&](int, Sum& sum) {
          SWARD_UNROLL
          for (int k = 0; k < count; ++k) {
            Sum part = 0;
            SWARD_UNROLL
            for (int e = 0; e < N; ++e) part += static_cast<Sum>(x[k][e]) * static_cast<Sum>(x[k][e]);
            sum += part;
          }
        },
        squares);
    return squares;
  }
};

/// rms_norm with codes for rows of up to count * row_step elements.
template <int N, int count, class ExecutionSpace, class Input, class Weight, class InverseRms, class Output,
          class Codes>
void rms_norm_in_registers(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
                           const InverseRms& inverse_rms, const Output& output, const Codes& codes) {
  using Kernel = RmsNormRowWithCodes<N, count, ExecutionSpace, Input, Weight, InverseRms, Output, Codes>;
  const int teams = (static_cast<int>(input.extent(0)) + Kernel::team_size - 1) / Kernel::team_size;
  Kokkos::parallel_for("Sward::rms_norm", typename Kernel::Policy(space, teams, Kernel::team_size, Kernel::lanes),
                       Kernel{input, weight, epsilon, inverse_rms, output, codes});
}

/// rms_norm, and quantize_rows of its output, b x n, in one pass where a row fits into registers. The Float8Matrix
/// `codes` is b x n.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output, class Codes>
void rms_norm(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
              const InverseRms& inverse_rms, const Output& output, const Codes& codes) {
  check_rms_norm<ExecutionSpace>(input, weight, inverse_rms, output);
  require_float8_matrix<ExecutionSpace>("Sward::rms_norm", "codes", codes, input.extent(0), input.extent(1));
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Input::non_const_value_type>;
    constexpr std::size_t of_one = row_step<ExecutionSpace, 1, N>;
    if (is_packable<N>(input) && is_packable<N>(weight) && is_packable<N>(output) && is_packable<N>(codes.codes)) {
      const std::size_t columns = input.extent(1);
      if (columns <= 2 * of_one)
        return rms_norm_in_registers<N, 2>(space, input, weight, epsilon, inverse_rms, output, codes);
      if (columns <= 8 * of_one)
        return rms_norm_in_registers<N, 8>(space, input, weight, epsilon, inverse_rms, output, codes);
      if (columns <= 16 * of_one)
        return rms_norm_in_registers<N, 16>(space, input, weight, epsilon, inverse_rms, output, codes);
    }
  }
  rms_norm(space, input, weight, epsilon, inverse_rms, output);
  quantize_rows(space, output, codes);
}

}  // namespace Sward
