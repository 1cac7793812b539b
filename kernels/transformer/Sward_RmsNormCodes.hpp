#pragma once

#include <Kokkos_Core.hpp>
#include <type_traits>

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
  using Sum = SumTerm<Scalar>;
  using Teams = RowTeams<ExecutionSpace, 1, N, count <= 8 ? 768 : 512>;
  static_assert(std::is_same_v<typename Input::non_const_value_type, Scalar>);

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
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) x[k] = load_pack_or_zeros<N>(&input(row, 0), first + k * Teams::step, columns);
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
    write_codes<Teams>(team, lane, x, codes, row);
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

/// rms_norm with codes for rows of up to count * step elements.
template <int N, int count, class ExecutionSpace, class Input, class Weight, class InverseRms, class Output,
          class Codes>
void rms_norm_in_registers(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
                           const InverseRms& inverse_rms, const Output& output, const Codes& codes) {
  using Kernel = RmsNormRowWithCodes<N, count, ExecutionSpace, Input, Weight, InverseRms, Output, Codes>;
  Kokkos::parallel_for("Sward::rms_norm", Kernel::Teams::policy(space, input.extent(0)),
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
    constexpr std::size_t of_one = vector_lanes<ExecutionSpace> * N;
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
