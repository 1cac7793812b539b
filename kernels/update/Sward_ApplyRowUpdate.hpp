#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// The slot after the last one that holds the same row as `slot`.
template <class ExecutionSpace>
KOKKOS_INLINE_FUNCTION int end_of_row(const RowSelection<ExecutionSpace>& selection, int slot) {
  int end = slot + 1;
  while (end < selection.rank() && selection.rows(end) == selection.rows(slot)) ++end;
  return end;
}

/// Whether an earlier slot holds the same row.
template <class ExecutionSpace>
KOKKOS_INLINE_FUNCTION bool repeats_row(const RowSelection<ExecutionSpace>& selection, int slot) {
  return slot > 0 && selection.rows(slot - 1) == selection.rows(slot);
}

template <class ExecutionSpace, class Step, class Weight>
void apply_to_rows(const char* label, const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
                   const Step& step, typename Weight::non_const_value_type rate,
                   typename Weight::non_const_value_type kept, const Weight& weight) {
  using Scalar = typename Weight::non_const_value_type;
  const int columns = static_cast<int>(weight.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, row_policy(space, selection.rank()), KOKKOS_LAMBDA(const Member& team) {
        const int slot = team.league_rank();
        if (repeats_row(selection, slot)) return;
        const int row = selection.rows(slot);
        const int end_slot = end_of_row(selection, slot);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          for (int s = slot; s < end_slot; ++s) {
            const Scalar factor = rate * static_cast<Scalar>(selection.scale(s));
            const Scalar old_share = s == slot ? kept : Scalar(1);
            SWARD_INDEPENDENT_ITERATIONS
            for (int j = begin; j < end; ++j) weight(row, j) = old_share * weight(row, j) - factor * step(s, j);
          }
        });
      });
}

template <class ExecutionSpace, class Step, class Weight>
void apply_to_columns(const char* label, const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
                      const Step& step, typename Weight::non_const_value_type rate,
                      typename Weight::non_const_value_type kept, const Weight& weight) {
  using Scalar = typename Weight::non_const_value_type;
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, row_policy(space, static_cast<int>(weight.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, selection.rank()), [&](const int slot) {
          if (repeats_row(selection, slot)) return;
          const int column = selection.rows(slot);
          const int end_slot = end_of_row(selection, slot);
          Scalar sum = 0;
          for (int s = slot; s < end_slot; ++s) sum += static_cast<Scalar>(selection.scale(s)) * step(row, s);
          weight(row, column) = kept * weight(row, column) - rate * sum;
        });
      });
}

/// W[rows] = (1 - decay) W[rows] - rate ρ Δ, or the same for columns; all other elements stay as they are. Steps of a
/// row that was drawn several times add up, and it decays once. weight is m x n, step r x n (m x r for columns).
/// Asynchronous on `space`. Throws ExtentError when the extents do not fit together.
template <class ExecutionSpace, class Step, class Weight>
void apply_row_update(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection, const Step& step,
                      double rate, double decay, const Weight& weight) {
  static_assert(Step::rank() == 2 && Weight::rank() == 2, "Sward::apply_row_update: the operands must be matrices");
  using Scalar = typename Weight::non_const_value_type;
  const char* const function = "Sward::apply_row_update";
  const bool by_rows = selection.side == Side::rows;
  const std::size_t rank = selection.rows.extent(0);
  require_extents(function, "the selected side of weight", {weight.extent(by_rows ? 0 : 1)},
                  {static_cast<std::size_t>(selection.extent)});
  require_extents(function, "step", {step.extent(0), step.extent(1)},
                  {by_rows ? rank : weight.extent(0), by_rows ? weight.extent(1) : rank});
  require_extents(function, "selection.scale", {selection.scale.extent(0)}, {rank});
  const auto factor = static_cast<Scalar>(rate);
  const auto kept = static_cast<Scalar>(1 - decay);
  if (by_rows) {
    apply_to_rows(function, space, selection, step, factor, kept, weight);
  } else {
    apply_to_columns(function, space, selection, step, factor, kept, weight);
  }
}

}  // namespace Sward
