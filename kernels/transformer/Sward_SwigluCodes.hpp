#pragma once

#include <Kokkos_Core.hpp>
#include <utility>

#include "Sward_Float8Matrix.hpp"
#include "Sward_Pack.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_Real.hpp"
#include "Sward_RowCodes.hpp"
#include "Sward_Swiglu.hpp"

namespace Sward {

/// A row of swiglu with its codes. No lambda, for the reason given in Sward_QuantizeRows.hpp.
template <int N, int count, int sharing, class ExecutionSpace, class Gate, class Up, class Output, class Codes>
struct SwigluRowWithCodes {
  using Scalar = typename Output::non_const_value_type;
  using Teams = RowTeams<ExecutionSpace, sharing, N, 768>;

  Gate gate;
  Up up;
  Output output;
  Codes codes;

  KOKKOS_FUNCTION void operator()(const typename Teams::Team& team) const {
    const int row = Teams::row(team);
    const int columns = static_cast<int>(gate.extent(1));
    const int lane = Teams::lane(team);
    const int first = Teams::first_column(team, lane);
    Pack<Scalar, N> x[count], linear[count];
    load_row<Teams>(x, &gate(row, 0), first, columns);
    load_row<Teams>(linear, &up(row, 0), first, columns);
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      Pack<Real<Scalar>, N> result;
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) result[e] = x[k][e] * sigmoid<Scalar>(x[k][e]) * linear[k][e];
      x[k] = convert_pack<Scalar>(result);
      if (first + k * Teams::step < columns) store_pack(x[k], &output(row, first + k * Teams::step));
    }
    write_codes<Teams>(team, lane, x, codes, row);
  }
};

/// swiglu with codes for rows of up to count * step elements.
template <int N, int count, int sharing, class ExecutionSpace, class Gate, class Up, class Output, class Codes>
void swiglu_in_registers(const ExecutionSpace& space, const Gate& gate, const Up& up, const Output& output,
                         const Codes& codes) {
  using Kernel = SwigluRowWithCodes<N, count, sharing, ExecutionSpace, Gate, Up, Output, Codes>;
  Kokkos::parallel_for("Sward::swiglu", Kernel::Teams::policy(space, gate.extent(0)), Kernel{gate, up, output, codes});
}

/// swiglu, and quantize_rows of its output, b x n, in one pass where a row fits into registers. The Float8Matrix
/// `codes` is b x n.
template <class ExecutionSpace, class Gate, class Up, class Output, class Codes>
void swiglu(const ExecutionSpace& space, const Gate& gate, const Up& up, const Output& output, const Codes& codes) {
  check_swiglu<ExecutionSpace>(gate, up, output);
  require_float8_matrix<ExecutionSpace>("Sward::swiglu", "codes", codes, gate.extent(0), gate.extent(1));
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Output::non_const_value_type>;
    constexpr std::size_t of_one = vector_lanes<ExecutionSpace> * N;
    if (is_packable<N>(gate) && is_packable<N>(up) && is_packable<N>(output) && is_packable<N>(codes.codes)) {
      const std::size_t columns = gate.extent(1);
      if (columns <= 24 * of_one) return swiglu_in_registers<N, 6, 4>(space, gate, up, output, codes);
      if (columns <= 48 * of_one) return swiglu_in_registers<N, 6, 8>(space, gate, up, output, codes);
      if (columns <= 96 * of_one) return swiglu_in_registers<N, 6, 16>(space, gate, up, output, codes);
    }
  }
  swiglu(space, gate, up, output);
  quantize_rows(space, output, codes);
}

/// A row of swiglu_backward with its codes.
template <int N, int count, int sharing, class ExecutionSpace, class GateUp, class OutputGradient, class Factors,
          class Codes>
struct SwigluBackwardRowWithCodes {
  using Scalar = typename GateUp::non_const_value_type;
  // So many that registers suffice for them.
  static constexpr int threads_at_once = count > 3 ? 512 : (sharing > 8 ? 1024 : 768);
  using Teams = RowTeams<ExecutionSpace, sharing, N, threads_at_once>;

  GateUp gate_up;
  OutputGradient output_gradient;
  Factors factors;
  Codes codes;

  KOKKOS_FUNCTION void operator()(const typename Teams::Team& team) const {
    const int row = Teams::row(team);
    const int width = static_cast<int>(output_gradient.extent(1));
    const int lane = Teams::lane(team);
    const int first = Teams::first_column(team, lane);
    Pack<Scalar, N> gate[count], up[count], above[count];
    load_row<Teams>(gate, &gate_up(row, 0), first, width);
    load_row<Teams>(up, &gate_up(row, width), first, width);
    load_row<Teams>(above, &output_gradient(row, 0), first, width);
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const int column = first + k * Teams::step;
      if (column >= width) continue;
      differentiate(gate[k], up[k], above[k]);
      store_pack(gate[k], &gate_up(row, column));
      store_pack(up[k], &gate_up(row, width + column));
      gate[k] = multiply_for_codes(gate[k], load_pack<N>(&factors(column)));
      up[k] = multiply_for_codes(up[k], load_pack<N>(&factors(width + column)));
    }
    const float scale = row_scale<Teams>(team, lane, Kokkos::max(largest_magnitude(gate), largest_magnitude(up)));
    store_codes<Teams::step>(gate, scale, &codes.codes(row, 0), first, width);
    store_codes<Teams::step>(up, scale, &codes.codes(row, width), first, width);
    if (first == 0) codes.scale(row) = scale;
  }

  /// Gate and up become their gradients.
  KOKKOS_FUNCTION static void differentiate(Pack<Scalar, N>& gate, Pack<Scalar, N>& up, const Pack<Scalar, N>& above) {
    Pack<Real<Scalar>, N> by_gate, by_up;
    SWARD_UNROLL
    for (int e = 0; e < N; ++e) {
      const SwigluGradient<Scalar> gradient(gate[e], up[e], above[e]);
      by_gate[e] = gradient.gate;
      by_up[e] = gradient.up;
    }
    gate = convert_pack<Scalar>(by_gate);
    up = convert_pack<Scalar>(by_up);
  }
};

/// swiglu_backward with codes for rows of up to count * step elements of gate.
template <int N, int count, int sharing, class ExecutionSpace, class GateUp, class OutputGradient, class Factors,
          class Codes>
void swiglu_backward_in_registers(const ExecutionSpace& space, const OutputGradient& output_gradient,
                                  const GateUp& gate_up, const Factors& factors, const Codes& codes) {
  using Kernel = SwigluBackwardRowWithCodes<N, count, sharing, ExecutionSpace, GateUp, OutputGradient, Factors, Codes>;
  Kokkos::parallel_for("Sward::swiglu_backward", Kernel::Teams::policy(space, gate_up.extent(0)),
                       Kernel{gate_up, output_gradient, factors, codes});
}

/// swiglu_backward in the place of gate and up, which lie side by side in `gate_up`, b x 2n, for output_gradient, b x
/// n; and quantize_rows of it with `factors`, 2n, in one pass where a row fits into registers. The Float8Matrix `codes`
/// is b x 2n.
template <class ExecutionSpace, class GateUp, class OutputGradient, class Factors, class Codes>
void swiglu_backward(const ExecutionSpace& space, const OutputGradient& output_gradient, const GateUp& gate_up,
                     const Factors& factors, const Codes& codes) {
  static_assert(are_inputs<ExecutionSpace, OutputGradient, Factors>() && are_outputs<ExecutionSpace, GateUp>());
  static_assert(OutputGradient::rank() == 2 && GateUp::rank() == 2 && Factors::rank() == 1,
                "Sward::swiglu_backward: output_gradient and gate_up must be matrices, factors a vector");
  const std::size_t width = output_gradient.extent(1);
  const char* const function = "Sward::swiglu_backward";
  require_extents(function, "gate_up", {gate_up.extent(0), gate_up.extent(1)}, {output_gradient.extent(0), 2 * width});
  require_extents(function, "factors", {factors.extent(0)}, {2 * width});
  require_float8_matrix<ExecutionSpace>(function, "codes", codes, gate_up.extent(0), gate_up.extent(1));
  const auto gate = Kokkos::subview(gate_up, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, width));
  const auto up = Kokkos::subview(gate_up, Kokkos::ALL, std::pair(width, 2 * width));
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename GateUp::non_const_value_type>;
    constexpr std::size_t of_one = vector_lanes<ExecutionSpace> * N;
    if (is_packable<N>(gate) && is_packable<N>(up) && is_packable<N>(output_gradient) && is_packable<N>(factors) &&
        is_packable<N>(codes.codes)) {
      if (width <= 24 * of_one)
        return swiglu_backward_in_registers<N, 3, 8>(space, output_gradient, gate_up, factors, codes);
      if (width <= 48 * of_one)
        return swiglu_backward_in_registers<N, 3, 16>(space, output_gradient, gate_up, factors, codes);
      if (width <= 96 * of_one)
        return swiglu_backward_in_registers<N, 6, 16>(space, output_gradient, gate_up, factors, codes);
    }
  }
  swiglu_backward(space, gate, up, output_gradient, gate, up);
  quantize_rows(space, gate_up, factors, codes);
}

}  // namespace Sward
