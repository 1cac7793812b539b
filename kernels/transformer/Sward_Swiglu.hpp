#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// output = silu(gate) * up, silu(x) = x / (1 + e^-x), element by element; all b x n.
/// Source: Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202.
template <class ExecutionSpace, class Gate, class Up, class Output>
void swiglu(const ExecutionSpace& space, const Gate& gate, const Up& up, const Output& output) {
  static_assert(Gate::rank() == 2 && Up::rank() == 2 && Output::rank() == 2,
                "Sward::swiglu: the operands must be matrices");
  using Scalar = typename Output::non_const_value_type;
  require_extents("Sward::swiglu", "up", {up.extent(0), up.extent(1)}, {gate.extent(0), gate.extent(1)});
  require_extents("Sward::swiglu", "output", {output.extent(0), output.extent(1)}, {gate.extent(0), gate.extent(1)});
  const int rows = static_cast<int>(gate.extent(0));
  const int columns = static_cast<int>(gate.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::swiglu", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int i = begin; i < end; ++i) {
            const Scalar x = gate(row, i);
            output(row, i) = x / (Scalar(1) + exponential(-x)) * up(row, i);
          }
        });
      });
}

/// Gradients of swiglu with respect to gate and up; all b x n. They are overwritten, and may be gate and up themselves.
template <class ExecutionSpace, class Gate, class Up, class OutputGradient, class GateGradient, class UpGradient>
void swiglu_backward(const ExecutionSpace& space, const Gate& gate, const Up& up, const OutputGradient& output_gradient,
                     const GateGradient& gate_gradient, const UpGradient& up_gradient) {
  static_assert(Gate::rank() == 2 && Up::rank() == 2 && OutputGradient::rank() == 2 && GateGradient::rank() == 2 &&
                    UpGradient::rank() == 2,
                "Sward::swiglu_backward: the operands must be matrices");
  using Scalar = typename GateGradient::non_const_value_type;
  const auto require_like_gate = [&](const char* argument, const auto& view) {
    require_extents("Sward::swiglu_backward", argument, {view.extent(0), view.extent(1)},
                    {gate.extent(0), gate.extent(1)});
  };
  require_like_gate("up", up);
  require_like_gate("output_gradient", output_gradient);
  require_like_gate("gate_gradient", gate_gradient);
  require_like_gate("up_gradient", up_gradient);
  const int rows = static_cast<int>(gate.extent(0));
  const int columns = static_cast<int>(gate.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::swiglu_backward", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int i = begin; i < end; ++i) {
            const Scalar x = gate(row, i);
            const Scalar linear = up(row, i);
            const Scalar above = output_gradient(row, i);
            const Scalar sigmoid = Scalar(1) / (Scalar(1) + exponential(-x));
            const Scalar silu = x * sigmoid;
            gate_gradient(row, i) = above * linear * (sigmoid + silu * (Scalar(1) - sigmoid));
            up_gradient(row, i) = above * silu;
          }
        });
      });
}

}  // namespace Sward
