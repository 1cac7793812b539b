#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>

#include "Sward_Check.hpp"
#include "Sward_ColumnSums.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Rows of the workspace of rms_norm_backward: two for each multiprocessor of a large GPU, none on hosts.
template <class ExecutionSpace>
inline constexpr int rms_norm_partial_rows = runs_on_host<ExecutionSpace> ? 0 : 264;

/// The part of rms_norm_backward for the input: input_gradient += inverse (weight dY - x inverse^2 mean(dY weight x)).
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient>
void rms_norm_input_gradient(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                             const Weight& weight, const InverseRms& inverse_rms, const InputGradient& input_gradient) {
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
          for (int j = begin; j < end; ++j)
            input_gradient(row, j) = static_cast<Scalar>(
                input_gradient(row, j) + (inverse * weight(j) * output_gradient(row, j) - along * input(row, j)));
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

/// How the rows of rms_norm_backward are dealt to a team that makes both gradients in one pass: `width` of its threads,
/// with their lanes, have a row in packs of N, `count` a lane, and so the team has team_size / width groups, each of
/// which reads `depth` rows at a time. A lane adds up the weight's gradient of its columns over all its rows.
template <class ExecutionSpace, int N, int packs>
struct RmsNormDeal {
  static constexpr int lanes = vector_lanes<ExecutionSpace>;
  static constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : 8;
  static constexpr int count = packs;
  static constexpr int depth = 4 / packs;  // what one thread holds in registers does not depend on the row's length
  static constexpr int longest = N * count * lanes * team_size;
  int width = 1;

  explicit RmsNormDeal(int columns) {
    while (width < team_size && N * count * lanes * width < columns) width *= 2;
  }
  KOKKOS_INLINE_FUNCTION int groups() const { return team_size / width; }
  /// First column of pack k of a lane of the group's `member`th thread.
  KOKKOS_INLINE_FUNCTION int column(int member, int lane, int k) const {
    return ((k * width + member) * lanes + lane) * N;
  }
};

/// Both gradients of rms_norm in one pass over dY and x: that of the input, and in row t of `partials` team t's part of
/// that of the weight.
template <int N, int count, class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms,
          class InputGradient, class Partials>
void rms_norm_gradients(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                        const Weight& weight, const InverseRms& inverse_rms, const InputGradient& input_gradient,
                        const Partials& partials) {
  using Stored = typename Input::non_const_value_type;
  using Scalar = typename InputGradient::non_const_value_type;
  using Value = Real<Stored>;
  using Sum = SumTerm<Stored>;
  using Deal = RmsNormDeal<ExecutionSpace, N, count>;
  constexpr int depth = Deal::depth;
  constexpr int lanes = Deal::lanes;
  constexpr int team_size = Deal::team_size;
  const int rows = static_cast<int>(input.extent(0));
  const int columns = static_cast<int>(input.extent(1));
  const Deal deal(columns);
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<team_size * lanes, 2>>;
  using Scratch = typename ExecutionSpace::scratch_memory_space;
  using Products = Kokkos::View<Sum* [depth][team_size], Kokkos::LayoutRight, Scratch, Kokkos::MemoryUnmanaged>;
  using Parts = Kokkos::View<Value**, Kokkos::LayoutRight, Scratch, Kokkos::MemoryUnmanaged>;
  Policy policy(space, static_cast<int>(partials.extent(0)), team_size, lanes);
  policy.set_scratch_size(
      0, Kokkos::PerTeam(Products::shmem_size(2) + Parts::shmem_size(static_cast<std::size_t>(deal.groups()),
                                                                     static_cast<std::size_t>(columns))));
  Kokkos::parallel_for(
      "Sward::rms_norm_backward", policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        // Two sets, by turns: a thread may write its products while others still read those before.
        const Products products(team.team_scratch(0), 2);
        const Parts parts(team.team_scratch(0), deal.groups(), columns);
        const int thread = team.team_rank();
        const int group = thread / deal.width;
        const int member = thread % deal.width;
        const int step = deal.groups() * depth;
        const Sum share = Sum(1) / static_cast<Sum>(columns);
        Value sums[count][N] = {};
        int turn = 0;
        for (int base = team.league_rank() * step; base < rows; base += team.league_size() * step, turn ^= 1) {
          const int first = base + group * depth;
          Pack<typename OutputGradient::non_const_value_type, N> above[depth][count];
          Pack<Stored, N> x[depth][count];
          Pack<Scalar, N> gradient[depth][count];
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
            SWARD_UNROLL
            for (int i = 0; i < depth; ++i) {
              SWARD_UNROLL
              for (int k = 0; k < count; ++k) {
                const int j = deal.column(member, lane, k);
                if (j >= columns || first + i >= rows) continue;
                above[i][k] = load_pack<N>(&output_gradient(first + i, j));
                x[i][k] = load_pack<N>(&input(first + i, j));
                gradient[i][k] = load_pack<N>(&input_gradient(first + i, j));
              }
            }
          });
          SWARD_UNROLL
          for (int i = 0; i < depth; ++i) {
            Sum product = 0;
            Kokkos::parallel_reduce(
                Kokkos::ThreadVectorRange(team, lanes),
                [&](const int lane, Sum& sum) {
                  SWARD_UNROLL
                  for (int k = 0; k < count; ++k) {
                    const int j = deal.column(member, lane, k);
                    if (j >= columns || first + i >= rows) continue;
                    const auto factor = load_pack<N>(&weight(j));
                    Sum part = 0;
                    SWARD_UNROLL
                    for (int e = 0; e < N; ++e)
                      part +=
                          static_cast<Sum>(above[i][k][e]) * static_cast<Sum>(factor[e]) * static_cast<Sum>(x[i][k][e]);
                    sum += part;
                  }
                },
                product);
            Kokkos::single(Kokkos::PerThread(team), [&] { products(turn, i, thread) = product; });
          }
          team.team_barrier();
          SWARD_UNROLL
          for (int i = 0; i < depth; ++i) {
            if (first + i >= rows) continue;
            Sum product = 0;
            for (int t = 0; t < deal.width; ++t) product += products(turn, i, group * deal.width + t);
            const Value inverse = inverse_rms(first + i);
            const auto along = static_cast<Value>(product * share) * (inverse * inverse * inverse);
            Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
              SWARD_UNROLL
              for (int k = 0; k < count; ++k) {
                const int j = deal.column(member, lane, k);
                if (j >= columns) continue;
                forget_conversions(above[i][k]);
                forget_conversions(x[i][k]);
                const auto factor = load_pack<N>(&weight(j));
                Pack<Value, N> result;
                SWARD_UNROLL
                for (int e = 0; e < N; ++e) {
                  const Value scaled = inverse * above[i][k][e];
                  result[e] = gradient[i][k][e] + (factor[e] * scaled - along * x[i][k][e]);
                  sums[k][e] += scaled * x[i][k][e];
                }
                store_pack(convert_pack<Scalar>(result), &input_gradient(first + i, j));
              }
            });
          }
        }
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
          SWARD_UNROLL
          for (int k = 0; k < count; ++k) {
            const int j = deal.column(member, lane, k);
            SWARD_UNROLL
            for (int e = 0; e < N; ++e)
              if (j < columns) parts(group, j + e) = sums[k][e];
          }
        });
        team.team_barrier();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns), [&](const int j) {
          Value sum = 0;
          for (int g = 0; g < deal.groups(); ++g) sum += parts(g, j);
          partials(team.league_rank(), j) = sum;
        });
      });
}

/// rms_norm_backward in one pass, and one over the partial sums.
template <int N, int count, class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms,
          class InputGradient, class Partials, class WeightGradient>
void rms_norm_backward_in_one_pass(const ExecutionSpace& space, const OutputGradient& output_gradient,
                                   const Input& input, const Weight& weight, const InverseRms& inverse_rms,
                                   const InputGradient& input_gradient, const Partials& partials,
                                   const WeightGradient& weight_gradient) {
  using Scalar = typename WeightGradient::non_const_value_type;
  rms_norm_gradients<N, count>(space, output_gradient, input, weight, inverse_rms, input_gradient, partials);
  column_sums(
      "Sward::rms_norm_backward::weight", space, static_cast<int>(partials.extent(0)),
      static_cast<int>(partials.extent(1)),
      KOKKOS_LAMBDA(const int i, const int j) { return static_cast<double>(partials(i, j)); },
      KOKKOS_LAMBDA(const int j, const double sum) { weight_gradient(j) += static_cast<Scalar>(sum); });
}

/// Gradients of rms_norm, added to input_gradient (b x n) and weight_gradient (n). inverse_rms is what rms_norm wrote;
/// partials is workspace of rms_norm_partial_rows<ExecutionSpace> x n in Real of the input's type.
/// The sum over tokens has a fixed order: the same bits at any number of threads.
template <class ExecutionSpace, class OutputGradient, class Input, class Weight, class InverseRms, class InputGradient,
          class Partials, class WeightGradient>
void rms_norm_backward(const ExecutionSpace& space, const OutputGradient& output_gradient, const Input& input,
                       const Weight& weight, const InverseRms& inverse_rms, const InputGradient& input_gradient,
                       const Partials& partials, const WeightGradient& weight_gradient) {
  static_assert(OutputGradient::rank() == 2 && Input::rank() == 2 && Weight::rank() == 1 && InverseRms::rank() == 1 &&
                    InputGradient::rank() == 2 && Partials::rank() == 2 && WeightGradient::rank() == 1,
                "Sward::rms_norm_backward: weight, its gradient and inverse_rms must be vectors, the others matrices");
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
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Input::non_const_value_type>;
    if (is_packable<N>(output_gradient) && is_packable<N>(input) && is_packable<N>(weight) &&
        is_packable<N>(input_gradient)) {
      const auto columns = static_cast<int>(input.extent(1));
      const auto in_one_pass = [&]<int count>(std::integral_constant<int, count>) {
        if (columns > RmsNormDeal<ExecutionSpace, N, count>::longest) return false;
        rms_norm_backward_in_one_pass<N, count>(space, output_gradient, input, weight, inverse_rms, input_gradient,
                                                partials, weight_gradient);
        return true;
      };
      if (in_one_pass(std::integral_constant<int, 1>()) || in_one_pass(std::integral_constant<int, 2>()) ||
          in_one_pass(std::integral_constant<int, 4>()))
        return;
    }
  }
  rms_norm_input_gradient(space, output_gradient, input, weight, inverse_rms, input_gradient);
  rms_norm_weight_gradient(space, output_gradient, input, inverse_rms, weight_gradient);
}

}  // namespace Sward
