#pragma once

#include <Kokkos_Core.hpp>
#include <type_traits>

#include "Sward_Check.hpp"
#include "Sward_Float8Matrix.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_RowCodes.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// A factor of 1 for every column.
struct NoFactors {
  KOKKOS_INLINE_FUNCTION float operator()(int) const { return 1.0F; }
};

/// |x|, or infinity where x is not finite, NaN too: a maximum passes over NaN.
KOKKOS_INLINE_FUNCTION float magnitude_or_infinity(float x) {
  const float magnitude = Kokkos::fabs(x);
  return magnitude <= Kokkos::Experimental::finite_max_v<float> ? magnitude : Kokkos::Experimental::infinity_v<float>;
}

// The kernels are no lambdas: nvcc's wrappers of them here call a null pointer where several translation units hold
// them.

/// A row of quantize_rows_in_registers.
template <int N, int count, int sharing, class ExecutionSpace, class Input, class Factors, class Output>
struct QuantizeRowInRegisters {
  // Leaves registers for x, but for other teams too, which load while this one computes.
  using Teams = RowTeams<ExecutionSpace, sharing, N, count <= 8 ? 1024 : 768>;

  Input input;
  Factors factors;
  Output output;

  KOKKOS_FUNCTION void operator()(const typename Teams::Team& team) const {
    const int row = Teams::row(team);
    if (row >= static_cast<int>(input.extent(0))) return;
    const int columns = static_cast<int>(input.extent(1));
    const int lane = Teams::lane(team);
    const int first = Teams::first_column(team, lane);
    Pack<typename Input::non_const_value_type, N> x[count];
    load_row<Teams>(x, &input(row, 0), first, columns);
    // Factors come from a cache: to hold them would take twice as many registers again.
    if constexpr (!std::is_same_v<Factors, NoFactors>) {
      SWARD_UNROLL
      for (int k = 0; k < count; ++k) {
        const int column = first + k * Teams::step;
        if (column < columns) x[k] = multiply_for_codes(x[k], load_pack<N>(&factors(column)));
      }
    }
    write_codes<Teams>(team, lane, x, output, row);
  }
};

/// quantize_rows for rows of up to count * step elements, which are held in registers, so that they are read once.
template <int N, int count, int sharing, class ExecutionSpace, class Input, class Factors, class Output>
void quantize_rows_in_registers(const ExecutionSpace& space, const Input& input, const Factors& factors,
                                const Output& output) {
  using Kernel = QuantizeRowInRegisters<N, count, sharing, ExecutionSpace, Input, Factors, Output>;
  Kokkos::parallel_for("Sward::quantize_rows", Kernel::Teams::policy(space, input.extent(0)),
                       Kernel{input, factors, output});
}

/// One row of quantize_rows_in_two_passes.
template <class Input, class Factors, class Output>
struct QuantizeRowInTwoPasses {
  Input input;
  Factors factors;
  Output output;

  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const int row = team.league_rank();
    const int columns = static_cast<int>(input.extent(1));
    const float scale = float8_scale(team_maximum(team, columns, [&](const int j) {
      return magnitude_or_infinity(static_cast<float>(input(row, j)) * factors(j));
    }));
    const float inverse = 1 / scale;
    for_each_chunk(team, columns, [&](const int begin, const int end) {
      SWARD_INDEPENDENT_ITERATIONS
      for (int j = begin; j < end; ++j)
        output.codes(row, j) = Float8(static_cast<float>(input(row, j)) * factors(j) * inverse);
    });
    Kokkos::single(Kokkos::PerTeam(team), [&] { output.scale(row) = scale; });
  }
};

/// quantize_rows for rows of any length, which are read twice.
template <class ExecutionSpace, class Input, class Factors, class Output>
void quantize_rows_in_two_passes(const ExecutionSpace& space, const Input& input, const Factors& factors,
                                 const Output& output) {
  Kokkos::parallel_for("Sward::quantize_rows", row_policy(space, static_cast<int>(input.extent(0))),
                       QuantizeRowInTwoPasses<Input, Factors, Output>{input, factors, output});
}

/// Rounds the rows of X diag(f) to 8 bits, each with the scale that float8_scale gives its largest magnitude: X is
/// b x n in float or bfloat16, f has n elements, powers of two or zero, and the Float8Matrix Q is b x n. A row that is
/// not finite becomes NaN all over. Asynchronous on `space`.
template <class ExecutionSpace, class Input, class Factors, class Output>
void quantize_rows(const ExecutionSpace& space, const Input& input, const Factors& factors, const Output& output) {
  static_assert(are_inputs<ExecutionSpace, Input>());
  static_assert(Input::rank() == 2, "Sward::quantize_rows: the input must be a matrix");
  require_float8_matrix<ExecutionSpace>("Sward::quantize_rows", "Q", output, input.extent(0), input.extent(1));
  bool factors_are_packable = true;
  constexpr int N = pack_size<typename Input::non_const_value_type>;
  if constexpr (!std::is_same_v<Factors, NoFactors>) {
    static_assert(are_inputs<ExecutionSpace, Factors>());
    require_extents("Sward::quantize_rows", "f", {factors.extent(0)}, {input.extent(1)});
    factors_are_packable = is_packable<N>(factors);
  }
  if (input.extent(0) == 0 || input.extent(1) == 0) return;
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr std::size_t of_one = vector_lanes<ExecutionSpace> * N;
    if (factors_are_packable && is_packable<N>(input) && is_packable<N>(output.codes)) {
      const std::size_t columns = input.extent(1);
      if (columns <= 2 * of_one) return quantize_rows_in_registers<N, 2, 1>(space, input, factors, output);
      if (columns <= 8 * of_one) return quantize_rows_in_registers<N, 8, 1>(space, input, factors, output);
      if (columns <= 24 * of_one) return quantize_rows_in_registers<N, 6, 4>(space, input, factors, output);
      if (columns <= 48 * of_one) return quantize_rows_in_registers<N, 6, 8>(space, input, factors, output);
      if (columns <= 96 * of_one) return quantize_rows_in_registers<N, 12, 8>(space, input, factors, output);
    }
  }
  quantize_rows_in_two_passes(space, input, factors, output);
}

/// The same without factors.
template <class ExecutionSpace, class Input, class Output>
void quantize_rows(const ExecutionSpace& space, const Input& input, const Output& output) {
  quantize_rows(space, input, NoFactors(), output);
}

}  // namespace Sward
