#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_ColumnSums.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// output(i, j) = input(i, j) * inverse_rms(i) * weight(j), inverse_rms(i) = 1 / sqrt(mean_j input(i, j)^2 + epsilon).
/// input and output are b x n, weight has n and inverse_rms b elements; output may be input.
/// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv 1910.07467.
template <class ExecutionSpace, class Input, class Weight, class InverseRms, class Output>
void rms_norm(const ExecutionSpace& space, const Input& input, const Weight& weight, double epsilon,
              const InverseRms& inverse_rms, const Output& output) {
  static_assert(Input::rank() == 2 && Weight::rank() == 1 && InverseRms::rank() == 1 && Output::rank() == 2,
                "Sward::rms_norm: input and output must be matrices, weight and inverse_rms vectors");
  using Scalar = typename Output::non_const_value_type;
  require_extents("Sward::rms_norm", "weight", {weight.extent(0)}, {input.extent(1)});
  require_extents("Sward::rms_norm", "inverse_rms", {inverse_rms.extent(0)}, {input.extent(0)});
  require_extents("Sward::rms_norm", "output", {output.extent(0), output.extent(1)},
                  {input.extent(0), input.extent(1)});
  const int rows = static_cast<int>(input.extent(0));
  const int columns = static_cast<int>(input.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::rms_norm", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double squares = team_sum(team, columns, [&](const int j) {
          const double x = input(row, j);
          return x * x;
        });
        const Scalar inverse = static_cast<Scalar>(1 / Kokkos::sqrt(squares / columns + epsilon));
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j) output(row, j) = input(row, j) * inverse * weight(j);
        });
        Kokkos::single(Kokkos::PerTeam(team), [&] { inverse_rms(row) = inverse; });
      });
}

/// The part of rms_norm_backward for the input: input_gradient += inverse (weight dY - x inverse^2 mean(dY weight x)).
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient>
void rms_norm_input_gradient(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                             const Weight& weight, const InverseRms& inverse_rms, const InputGradient& input_gradient) {
  using Scalar = typename InputGradient::non_const_value_type;
  const int rows = static_cast<int>(input.extent(0));
  const int columns = static_cast<int>(input.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::rms_norm_backward::input", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double product = team_sum(team, columns, [&](const int j) {
          return static_cast<double>(output_gradient(row, j)) * weight(j) * input(row, j);
        });
        const Scalar inverse = inverse_rms(row);
        const double cube = static_cast<double>(inverse) * inverse * inverse;
        const Scalar along = static_cast<Scalar>(cube * product / columns);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j)
            input_gradient(row, j) += inverse * weight(j) * output_gradient(row, j) - along * input(row, j);
        });
      });
}

/// The part of rms_norm_backward for the weight: weight_gradient(j) += sum_i dY(i, j) x(i, j) inverse(i).
template <class ExecutionSpace, class OutputGradient, class Input, class InverseRms, class WeightGradient>
void rms_norm_weight_gradient(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                              const InverseRms& inverse_rms, const WeightGradient& weight_gradient) {
  using Scalar = typename WeightGradient::non_const_value_type;
  column_sums(
      "Sward::rms_norm_backward::weight", space, static_cast<int>(input.extent(0)), static_cast<int>(input.extent(1)),
      KOKKOS_LAMBDA(const int i, const int j) {
        return static_cast<double>(output_gradient(i, j)) * static_cast<double>(input(i, j)) *
               static_cast<double>(inverse_rms(i));
      },
      KOKKOS_LAMBDA(const int j, const double sum) { weight_gradient(j) += static_cast<Scalar>(sum); });
}

/// Gradients of rms_norm, added to input_gradient (b x n) and weight_gradient (n). inverse_rms is what rms_norm wrote.
/// The sum over tokens has a fixed order: the same bits at any number of threads.
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient,
          class WeightGradient>
void rms_norm_backward(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                       const Weight& weight, const InverseRms& inverse_rms, const InputGradient& input_gradient,
                       const WeightGradient& weight_gradient) {
  static_assert(OutputGradient::rank() == 2 && Input::rank() == 2 && Weight::rank() == 1 && InverseRms::rank() == 1 &&
                    InputGradient::rank() == 2 && WeightGradient::rank() == 1,
                "Sward::rms_norm_backward: weight, its gradient and inverse_rms must be vectors, the others matrices");
  const char* const function = "Sward::rms_norm_backward";
  require_extents(function, "output_gradient", {output_gradient.extent(0), output_gradient.extent(1)},
                  {input.extent(0), input.extent(1)});
  require_extents(function, "weight", {weight.extent(0)}, {input.extent(1)});
  require_extents(function, "inverse_rms", {inverse_rms.extent(0)}, {input.extent(0)});
  require_extents(function, "input_gradient", {input_gradient.extent(0), input_gradient.extent(1)},
                  {input.extent(0), input.extent(1)});
  require_extents(function, "weight_gradient", {weight_gradient.extent(0)}, {input.extent(1)});
  rms_norm_input_gradient(space, output_gradient, input, weight, inverse_rms, input_gradient);
  rms_norm_weight_gradient(space, output_gradient, input, inverse_rms, weight_gradient);
}

}  // namespace Sward
