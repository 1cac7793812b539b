#pragma once

#include <Kokkos_Core.hpp>
#include <Kokkos_Profiling_ScopedRegion.hpp>
#include <cstdint>
#include <type_traits>

#include "Sward_Check.hpp"
#include "Sward_ColumnSlice.hpp"
#include "Sward_ColumnSums.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"
#ifdef KOKKOS_ENABLE_CUDA
#include "Sward_RmsNormGradients.hpp"
#endif

namespace Sward {

/// Rows of the workspace of rms_norm_backward: four for each multiprocessor of a large GPU, none on hosts.
template <class ExecutionSpace>
inline constexpr int rms_norm_partial_rows = runs_on_host<ExecutionSpace> ? 0 : 528;

/// Columns that rms_norm_backward writes a second time, next to each other: of its result, and of what rms_norm gave in
/// the forward pass, with the same bits, so that it need not be kept.
template <class ExecutionSpace, class Scalar>
struct RmsNormColumns {
  ColumnSlice<ExecutionSpace, Scalar> input_gradient;
  ColumnSlice<ExecutionSpace, Scalar> normed[2];
};

/// Whether a gradient of rms_norm_backward is added to what is there; else it is overwritten, whatever it holds.
struct RmsNormAdded {
  bool input_gradient = true;
  bool weight_gradient = true;
};

/// The part of rms_norm_backward for the input: input_gradient (+)= inverse (weight dY - x inverse^2 mean(dY weight
/// x)).
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient,
          class Wanted>
SWARD_FILE_LOCAL void rms_norm_input_gradient(const ExecutionSpace& space, const OutputGradient& output_gradient,
                                              const Input& input, const Weight& weight, const InverseRms& inverse_rms,
                                              const InputGradient& input_gradient, const Wanted& wanted,
                                              bool is_added) {
  using Scalar = typename InputGradient::non_const_value_type;
  using Sum = SumTerm<typename Input::non_const_value_type>;
  const int columns = static_cast<int>(input.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::rms_norm_backward::input", row_policy(space, static_cast<int>(input.extent(0))),
      KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double product = team_sum(team, columns, [&](const int j) {
          return static_cast<Sum>(output_gradient(row, j)) * static_cast<Sum>(weight(j)) *
                 static_cast<Sum>(input(row, j));
        });
        const Real<Scalar> inverse = inverse_rms(row);
        const double cube = static_cast<double>(inverse) * inverse * inverse;
        const auto along = static_cast<Real<Scalar>>(cube * product / columns);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j) {
            const Real<Scalar> before = is_added ? static_cast<Real<Scalar>>(input_gradient(row, j)) : Real<Scalar>(0);
            input_gradient(row, j) =
                static_cast<Scalar>(before + (inverse * weight(j) * output_gradient(row, j) - along * input(row, j)));
          }
        });
        team.team_barrier();
        const auto normed = [&](int, const int j) { return static_cast<Scalar>(input(row, j) * inverse * weight(j)); };
        write_slice(team, wanted.input_gradient, row, 1, [&](int, const int j) { return input_gradient(row, j); });
        write_slice(team, wanted.normed[0], row, 1, normed);
        write_slice(team, wanted.normed[1], row, 1, normed);
      });
}

/// The part of rms_norm_backward for the weight: weight_gradient(j) (+)= sum_i dY(i, j) x(i, j) inverse(i).
template <class ExecutionSpace, class OutputGradient, class Input, class InverseRms, class WeightGradient>
SWARD_FILE_LOCAL void rms_norm_weight_gradient(const ExecutionSpace& space, const OutputGradient& output_gradient,
                                               const Input& input, const InverseRms& inverse_rms,
                                               const WeightGradient& weight_gradient, bool is_added) {
  using Scalar = typename WeightGradient::non_const_value_type;
  column_sums(
      "Sward::rms_norm_backward::weight", space, static_cast<int>(input.extent(0)), static_cast<int>(input.extent(1)),
      KOKKOS_LAMBDA(const int i, const int j) {
        return static_cast<double>(output_gradient(i, j)) * static_cast<double>(input(i, j)) *
               static_cast<double>(inverse_rms(i));
      },
      KOKKOS_LAMBDA(const int j, const double sum) {
        weight_gradient(j) = (is_added ? weight_gradient(j) : Scalar(0)) + static_cast<Scalar>(sum);
      });
}

#ifdef KOKKOS_ENABLE_CUDA
/// Elements as the kernels beside Kokkos take them.
template <class Scalar>
using DeviceElement = std::conditional_t<std::is_same_v<Scalar, BFloat16>, std::uint16_t, Scalar>;

template <class ExecutionSpace, class Scalar>
WrittenColumns<DeviceElement<Scalar>> written_columns(const ColumnSlice<ExecutionSpace, Scalar>& slice) {
  return {slice.columns.data(), reinterpret_cast<DeviceElement<Scalar>*>(slice.values.data()),
          static_cast<std::int64_t>(slice.values.stride(0)), static_cast<int>(slice.columns.extent(0))};
}

template <class T, class... Others>
inline constexpr bool is_one_type = (std::is_same_v<T, Others> && ...);

/// Whether rms_norm_gradients takes operands of these types.
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InputGradient>
inline constexpr bool may_be_rms_norm_gradients =
    std::is_same_v<ExecutionSpace, Kokkos::Cuda> && sizeof(typename Input::non_const_value_type) < sizeof(double) &&
    is_one_type<typename OutputGradient::non_const_value_type, typename Input::non_const_value_type,
                typename Weight::non_const_value_type, typename InputGradient::non_const_value_type>;

template <class OutputGradient, class Input, class Weight, class InputGradient>
bool uses_rms_norm_gradients(const OutputGradient& output_gradient, const Input& input, const Weight& weight,
                             const InputGradient& input_gradient) {
  using Scalar = typename Input::non_const_value_type;
  constexpr int N = pack_size<Scalar>;
  return input.extent(0) > 0 && input.extent(1) <= rms_norm_longest<DeviceElement<Scalar>> &&
         is_packable<N>(output_gradient) && is_packable<N>(input) && is_packable<N>(weight) &&
         is_packable<N>(input_gradient);
}

/// rms_norm_backward in one pass over the matrices, and one over the partial sums.
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient,
          class Partials, class WeightGradient, class Wanted>
SWARD_FILE_LOCAL void rms_norm_backward_in_one_pass(const ExecutionSpace& space, const OutputGradient& output_gradient,
                                                    const Input& input, const Weight& weight,
                                                    const InverseRms& inverse_rms, const InputGradient& input_gradient,
                                                    const Partials& partials, const WeightGradient& weight_gradient,
                                                    const Wanted& wanted, const RmsNormAdded& added) {
  using Element = DeviceElement<typename Input::non_const_value_type>;
  using Value = typename WeightGradient::non_const_value_type;
  const auto elements = [](const auto& view) { return reinterpret_cast<const Element*>(view.data()); };
  const auto stride = [](const auto& view) { return static_cast<std::int64_t>(view.stride(0)); };
  {
    const Kokkos::Profiling::ScopedRegion region("Sward::rms_norm_backward");
    rms_norm_gradients<Element>(space.cuda_stream(),
                                {static_cast<int>(input.extent(0)),
                                 static_cast<int>(input.extent(1)),
                                 elements(output_gradient),
                                 stride(output_gradient),
                                 elements(input),
                                 stride(input),
                                 elements(weight),
                                 inverse_rms.data(),
                                 reinterpret_cast<Element*>(input_gradient.data()),
                                 stride(input_gradient),
                                 added.input_gradient,
                                 partials.data(),
                                 static_cast<int>(partials.extent(0)),
                                 written_columns(wanted.input_gradient),
                                 {written_columns(wanted.normed[0]), written_columns(wanted.normed[1])}});
  }
  const bool is_added = added.weight_gradient;
  column_sums(
      "Sward::rms_norm_backward::weight", space, static_cast<int>(partials.extent(0)),
      static_cast<int>(partials.extent(1)),
      KOKKOS_LAMBDA(const int i, const int j) { return static_cast<double>(partials(i, j)); },
      KOKKOS_LAMBDA(const int j, const double sum) {
        weight_gradient(j) = (is_added ? weight_gradient(j) : Value(0)) + static_cast<Value>(sum);
      });
}
#else
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InputGradient>
inline constexpr bool may_be_rms_norm_gradients = false;
#endif

/// Gradients of rms_norm, in input_gradient (b x n) and weight_gradient (n): added to them, unless `added` says else.
/// inverse_rms is what rms_norm wrote; partials is workspace of rms_norm_partial_rows<ExecutionSpace> x n in Real of
/// the input's type. `wanted` columns are written besides. The sum over tokens has a fixed order: the same bits at any
/// number of threads.
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient,
          class Partials, class WeightGradient>
void rms_norm_backward(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                       const Weight& weight, const InverseRms& inverse_rms, const InputGradient& input_gradient,
                       const Partials& partials, const WeightGradient& weight_gradient,
                       const RmsNormColumns<ExecutionSpace, ElementOf<InputGradient>>& wanted = {},
                       const RmsNormAdded& added = {}) {
  static_assert(are_inputs<ExecutionSpace, OutputGradient, Input, Weight, InverseRms>() &&
                are_outputs<ExecutionSpace, InputGradient, Partials, WeightGradient>());
  static_assert(OutputGradient::rank() == 2 && Input::rank() == 2 && Weight::rank() == 1 && InverseRms::rank() == 1 &&
                    InputGradient::rank() == 2 && Partials::rank() == 2 && WeightGradient::rank() == 1,
                "Sward::rms_norm_backward: weight, its gradient and inverse_rms must be vectors, the others matrices");
  static_assert(are_row_major<InverseRms, Partials>,
                "Sward::rms_norm_backward: inverse_rms and partials must be row-major");
  const char* const function = "Sward::rms_norm_backward";
  require_extents(function, "output_gradient", {output_gradient.extent(0), output_gradient.extent(1)},
                  {input.extent(0), input.extent(1)});
  require_extents(function, "weight", {weight.extent(0)}, {input.extent(1)});
  require_extents(function, "inverse_rms", {inverse_rms.extent(0)}, {input.extent(0)});
  require_extents(function, "input_gradient", {input_gradient.extent(0), input_gradient.extent(1)},
                  {input.extent(0), input.extent(1)});
  require_extents(function, "partials", {partials.extent(0), partials.extent(1)},
                  {rms_norm_partial_rows<ExecutionSpace>, input.extent(1)});
  require_extents(function, "weight_gradient", {weight_gradient.extent(0)}, {input.extent(1)});
  require_slice(function, "wanted columns of input_gradient", wanted.input_gradient, input.extent(0));
  for (const auto& slice : wanted.normed) require_slice(function, "wanted normed columns", slice, input.extent(0));
  if constexpr (may_be_rms_norm_gradients<ExecutionSpace, OutputGradient, Input, Weight, InputGradient>) {
    if (uses_rms_norm_gradients(output_gradient, input, weight, input_gradient))
      return rms_norm_backward_in_one_pass(space, output_gradient, input, weight, inverse_rms, input_gradient, partials,
                                           weight_gradient, wanted, added);
  }
  rms_norm_input_gradient(space, output_gradient, input, weight, inverse_rms, input_gradient, wanted,
                          added.input_gradient);
  rms_norm_weight_gradient(space, output_gradient, input, inverse_rms, weight_gradient, added.weight_gradient);
}

}  // namespace Sward
