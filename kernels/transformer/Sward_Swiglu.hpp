#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_Exponential.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_PackPlaces.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// 1 / (1 + e^-x) for elements stored as T.
template <class T>
KOKKOS_INLINE_FUNCTION Real<T> sigmoid(Real<T> x) {
  const Real<T> denominator = Real<T>(1) + exponential_to_store<T>(-x);
#if defined(__CUDA_ARCH__)
  // To 2 units in the last place; a full division would cost more than all else.
  if constexpr (std::is_same_v<Real<T>, float>) return __fdividef(1.0f, denominator);
#endif
  return Real<T>(1) / denominator;
}

/// The gradients of silu(gate) * up at one element, for that of the result.
template <class T>
struct SwigluGradient {
  Real<T> gate, up;
  KOKKOS_INLINE_FUNCTION SwigluGradient(Real<T> x, Real<T> linear, Real<T> above) {
    const Real<T> factor = sigmoid<T>(x);
    const Real<T> silu = x * factor;
    gate = above * linear * (factor + silu * (Real<T>(1) - factor));
    up = above * silu;
  }
};

/// swiglu in packs of N.
template <int N, class ExecutionSpace, class Gate, class Up, class Output>
SWARD_FILE_LOCAL void swiglu_packs(const ExecutionSpace& space, const Gate& gate, const Up& up, const Output& output) {
  using Scalar = typename Output::non_const_value_type;
  constexpr int count = 2;
  using Places = PackPlaces<N, count>;
  const int rows = static_cast<int>(gate.extent(0));
  const int columns = static_cast<int>(gate.extent(1));
  Kokkos::parallel_for(
      "Sward::swiglu", Places::policy(space, rows, columns),
      KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<ExecutionSpace>::member_type& team) {
        const Places places(team, rows, columns);
        Pack<typename Gate::non_const_value_type, N> x[count];
        Pack<typename Up::non_const_value_type, N> linear[count];
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) {
          if (!places.exists(k)) continue;
          x[k] = load_pack<N>(&gate(places.row(k), places.column(k)));
          linear[k] = load_pack<N>(&up(places.row(k), places.column(k)));
        }
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) {
          if (!places.exists(k)) continue;
          Pack<Real<Scalar>, N> result;
          SWARD_UNROLL
          for (int e = 0; e < N; ++e) result[e] = x[k][e] * sigmoid<Scalar>(x[k][e]) * linear[k][e];
          store_pack(convert_pack<Scalar>(result), &output(places.row(k), places.column(k)));
        }
      });
}

/// Throws ExtentError unless the operands of swiglu fit.
template <class ExecutionSpace, class Gate, class Up, class Output>
void check_swiglu(const Gate& gate, const Up& up, const Output& output) {
  static_assert(are_inputs<ExecutionSpace, Gate, Up>() && are_outputs<ExecutionSpace, Output>());
  static_assert(Gate::rank() == 2 && Up::rank() == 2 && Output::rank() == 2,
                "Sward::swiglu: the operands must be matrices");
  require_extents("Sward::swiglu", "up", {up.extent(0), up.extent(1)}, {gate.extent(0), gate.extent(1)});
  require_extents("Sward::swiglu", "output", {output.extent(0), output.extent(1)}, {gate.extent(0), gate.extent(1)});
}

/// output = silu(gate) * up, silu(x) = x / (1 + e^-x), element by element; all b x n.
/// Source: Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202.
template <class ExecutionSpace, class Gate, class Up, class Output>
SWARD_FILE_LOCAL void swiglu(const ExecutionSpace& space, const Gate& gate, const Up& up, const Output& output) {
  check_swiglu<ExecutionSpace>(gate, up, output);
  using Scalar = typename Output::non_const_value_type;
  if constexpr (runs_on_host<ExecutionSpace>) {
    const int columns = static_cast<int>(gate.extent(1));
    using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
    Kokkos::parallel_for(
        "Sward::swiglu", row_policy(space, static_cast<int>(gate.extent(0))), KOKKOS_LAMBDA(const Member& team) {
          const int row = team.league_rank();
          for_each_chunk(team, columns, [&](const int begin, const int end) {
            SWARD_INDEPENDENT_ITERATIONS
            for (int i = begin; i < end; ++i) {
              const Real<Scalar> x = gate(row, i);
              const Real<Scalar> linear = up(row, i);
              output(row, i) = static_cast<Scalar>(x * sigmoid<Scalar>(x) * linear);
            }
          });
        });
  } else {
    constexpr int N = pack_size<Scalar>;
    const bool packable = is_packable<N>(gate) && is_packable<N>(up) && is_packable<N>(output);
    packable ? swiglu_packs<N>(space, gate, up, output) : swiglu_packs<1>(space, gate, up, output);
  }
}

/// swiglu_backward in packs of N.
template <int N, class ExecutionSpace, class Gate, class Up, class OutputGradient, class GateGradient, class UpGradient>
SWARD_FILE_LOCAL void swiglu_backward_packs(const ExecutionSpace& space, const Gate& gate, const Up& up,
                                            const OutputGradient& output_gradient, const GateGradient& gate_gradient,
                                            const UpGradient& up_gradient) {
  using Scalar = typename GateGradient::non_const_value_type;
  constexpr int count = 2;
  using Places = PackPlaces<N, count>;
  const int rows = static_cast<int>(gate.extent(0));
  const int columns = static_cast<int>(gate.extent(1));
  Kokkos::parallel_for(
      "Sward::swiglu_backward", Places::policy(space, rows, columns),
      KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<ExecutionSpace>::member_type& team) {
        const Places places(team, rows, columns);
        Pack<typename Gate::non_const_value_type, N> x[count];
        Pack<typename Up::non_const_value_type, N> linear[count];
        Pack<typename OutputGradient::non_const_value_type, N> above[count];
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) {
          if (!places.exists(k)) continue;
          x[k] = load_pack<N>(&gate(places.row(k), places.column(k)));
          linear[k] = load_pack<N>(&up(places.row(k), places.column(k)));
          above[k] = load_pack<N>(&output_gradient(places.row(k), places.column(k)));
        }
        SWARD_UNROLL
        for (int k = 0; k < count; ++k) {
          if (!places.exists(k)) continue;
          Pack<Real<Scalar>, N> by_gate, by_up;
          SWARD_UNROLL
          for (int e = 0; e < N; ++e) {
            const SwigluGradient<Scalar> gradient(x[k][e], linear[k][e], above[k][e]);
            by_gate[e] = gradient.gate;
            by_up[e] = gradient.up;
          }
          store_pack(convert_pack<Scalar>(by_gate), &gate_gradient(places.row(k), places.column(k)));
          store_pack(convert_pack<typename UpGradient::non_const_value_type>(by_up),
                     &up_gradient(places.row(k), places.column(k)));
        }
      });
}

/// Gradients of swiglu with respect to gate and up; all b x n. They are overwritten, and may be gate and up themselves.
template <class ExecutionSpace, class Gate, class Up, class OutputGradient, class GateGradient, class UpGradient>
SWARD_FILE_LOCAL void swiglu_backward(const ExecutionSpace& space, const Gate& gate, const Up& up,
                                      const OutputGradient& output_gradient, const GateGradient& gate_gradient,
                                      const UpGradient& up_gradient) {
  static_assert(are_inputs<ExecutionSpace, Gate, Up, OutputGradient>() &&
                are_outputs<ExecutionSpace, GateGradient, UpGradient>());
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
  if constexpr (runs_on_host<ExecutionSpace>) {
    const int columns = static_cast<int>(gate.extent(1));
    using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
    Kokkos::parallel_for(
        "Sward::swiglu_backward", row_policy(space, static_cast<int>(gate.extent(0))),
        KOKKOS_LAMBDA(const Member& team) {
          const int row = team.league_rank();
          for_each_chunk(team, columns, [&](const int begin, const int end) {
            SWARD_INDEPENDENT_ITERATIONS
            for (int i = begin; i < end; ++i) {
              const SwigluGradient<Scalar> gradient(gate(row, i), up(row, i), output_gradient(row, i));
              gate_gradient(row, i) = static_cast<Scalar>(gradient.gate);
              up_gradient(row, i) = static_cast<typename UpGradient::non_const_value_type>(gradient.up);
            }
          });
        });
  } else {
    constexpr int N = pack_size<Scalar>;
    const bool packable = is_packable<N>(gate) && is_packable<N>(up) && is_packable<N>(output_gradient) &&
                          is_packable<N>(gate_gradient) && is_packable<N>(up_gradient);
    packable ? swiglu_backward_packs<N>(space, gate, up, output_gradient, gate_gradient, up_gradient)
             : swiglu_backward_packs<1>(space, gate, up, output_gradient, gate_gradient, up_gradient);
  }
}

}  // namespace Sward
