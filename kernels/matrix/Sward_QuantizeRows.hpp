#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Check.hpp"
#include "Sward_Float8Matrix.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// A factor of 1 for every column.
struct NoFactors {
  KOKKOS_INLINE_FUNCTION float operator()(int) const { return 1.0F; }
};

/// The factors of N columns from `column` on.
template <int N>
KOKKOS_INLINE_FUNCTION Pack<float, N> load_factors(const NoFactors&, int) {
  Pack<float, N> ones;
  SWARD_UNROLL
  for (int e = 0; e < N; ++e) ones[e] = 1.0F;
  return ones;
}

/// The same of a vector with one for each column.
template <int N, class Factors>
KOKKOS_INLINE_FUNCTION Pack<float, N> load_factors(const Factors& factors, int column) {
  return load_pack<N>(&factors(column));
}

/// |x|, or infinity where x is not finite, NaN too: a maximum passes over NaN.
KOKKOS_INLINE_FUNCTION float magnitude_or_infinity(float x) {
  const float magnitude = Kokkos::fabs(x);
  return magnitude <= Kokkos::Experimental::finite_max_v<float> ? magnitude : Kokkos::Experimental::infinity_v<float>;
}

// The kernels are no lambdas: nvcc's wrappers of them here call a null pointer where several translation units hold
// them.

/// One row of quantize_rows_in_registers, for a team of so many threads.
template <int N, int count, int threads, class Input, class Factors, class Output>
struct QuantizeRowInRegisters {
  Input input;
  Factors factors;
  Output output;

  template <class Team>
  KOKKOS_FUNCTION void operator()(const Team& team) const {
    using Stored = typename Input::non_const_value_type;
    constexpr int step = threads * N;
    const int columns = static_cast<int>(input.extent(1));
    const int row = team.league_rank();
    const int first = team.team_rank() * N;
    Pack<Stored, N> x[count];
    SWARD_UNROLL
    for (int k = 0; k < count; ++k)
      if (first + k * step < columns) x[k] = load_pack<N>(&input(row, first + k * step));
    float largest = 0;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      if (first + k * step >= columns) continue;
      const auto factor = load_factors<N>(factors, first + k * step);
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) {
        const float magnitude = magnitude_or_infinity(static_cast<float>(x[k][e]) * factor[e]);
        largest = magnitude > largest ? magnitude : largest;
      }
    }
    team.team_reduce(Kokkos::Max<float>(largest));
    const float scale = float8_scale(largest);
    const float inverse = 1 / scale;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      if (first + k * step >= columns) continue;
      forget_conversions(x[k]);
      const auto factor = load_factors<N>(factors, first + k * step);
      Pack<float, N> quotients;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) quotients[e] = static_cast<float>(x[k][e]) * factor[e] * inverse;
      store_pack(convert_pack<Float8>(quotients), &output.codes(row, first + k * step));
    }
    Kokkos::single(Kokkos::PerTeam(team), [&] { output.scale(row) = scale; });
  }
};

/// quantize_rows for rows of up to N * count * 128 elements: a team holds one in registers, so that it is read once.
template <int N, int count, class ExecutionSpace, class Input, class Factors, class Output>
void quantize_rows_in_registers(const ExecutionSpace& space, const Input& input, const Factors& factors,
                                const Output& output) {
  constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 128;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<threads, 1>>;
  Kokkos::parallel_for("Sward::quantize_rows", Policy(space, static_cast<int>(input.extent(0)), threads),
                       QuantizeRowInRegisters<N, count, threads, Input, Factors, Output>{input, factors, output});
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
    constexpr std::size_t row_of_one = std::size_t{N} * 128;
    if (factors_are_packable && is_packable<N>(input) && is_packable<N>(output.codes)) {
      const std::size_t columns = input.extent(1);
      if (columns <= 2 * row_of_one) return quantize_rows_in_registers<N, 2>(space, input, factors, output);
      if (columns <= 8 * row_of_one) return quantize_rows_in_registers<N, 8>(space, input, factors, output);
      if (columns <= 24 * row_of_one) return quantize_rows_in_registers<N, 24>(space, input, factors, output);
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
