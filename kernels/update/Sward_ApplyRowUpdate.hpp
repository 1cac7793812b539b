#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Rounding.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SelectedWeights.hpp"

namespace Sward {

/// apply_row_update of selected rows; step is r x n.
template <class ExecutionSpace, class Step, class Weight>
SWARD_FILE_LOCAL void apply_to_rows(const char* label, const ExecutionSpace& space,
                                    const SelectedWeights<ExecutionSpace, Weight>& target, const Step& step) {
  using Value = typename SelectedWeights<ExecutionSpace, Weight>::Value;
  const int columns = static_cast<int>(step.extent(1));
  const bool in_packs = moves_in_packs<ExecutionSpace>(step);
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, block_policy(space, target.selection.rank(), block_threads<ExecutionSpace>(columns)),
      KOKKOS_LAMBDA(const Member& team) {
        const int slot = team.league_rank();
        const int row = target.row_of(slot);
        if (target.repeats(slot, row)) return;
        const int end = target.end_of_row(slot, row);
        for_each_block(team, columns, [&](const int block) {
          for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) {
            typename SelectedWeights<ExecutionSpace, Weight>::Values values;
            const LanePiece of_weight{row, piece.begin, piece.count};
            target.load(of_weight, values);
            values.unpack(piece.count);
            PieceBits<ExecutionSpace> bits;
            if (target.draws()) bits.draw(target.rounding.draw, {end - 1, piece.begin, piece.count}, columns);
            for (int s = slot; s < end; ++s) {
              LaneValues<ExecutionSpace, Step> steps;
              steps.load(step, {s, piece.begin, piece.count}, in_packs);
              steps.unpack(piece.count);
              const Value factor = target.factor(s);
              const Value old_share = s == slot ? target.kept : Value(1);
              for_each_element<BlockLanes<ExecutionSpace>::width>(piece.count, [&](const int k) {
                values[k] = old_share * values[k] - factor * static_cast<Value>(steps[k]);
              });
            }
            target.store(of_weight, bits, values);
          });
        });
      });
}

/// apply_row_update of selected columns; step is m x r.
template <class ExecutionSpace, class Step, class Weight>
SWARD_FILE_LOCAL void apply_to_columns(const char* label, const ExecutionSpace& space,
                                       const SelectedWeights<ExecutionSpace, Weight>& target, const Step& step) {
  using Value = typename SelectedWeights<ExecutionSpace, Weight>::Value;
  const int rank = static_cast<int>(step.extent(1));
  const auto policy = row_policy(space, static_cast<int>(step.extent(0)));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        target.update_columns(
            team, row, 1, [&](int, const int slot) { return static_cast<Value>(step(row, slot)); },
            [&](int, const int slot) {
              return random_piece(target.rounding.draw, RoundedValue::weight, row, slot, rank);
            });
      });
}

/// W[rows] = (1 - decay) W[rows] - rate ρ Δ, or the same for columns; all other elements stay as they are. Steps of a
/// row that was drawn several times add up, and it decays once. weight is m x n, step r x n (m x r for columns).
/// Asynchronous on `space`. Throws ExtentError when the extents do not fit together.
template <class ExecutionSpace, class Step, class Weight>
void apply_row_update(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection, const Step& step,
                      double rate, double decay, const Rounding& rounding, const Weight& weight) {
  static_assert(are_inputs<ExecutionSpace, Step>());
  static_assert(Step::rank() == 2, "Sward::apply_row_update: the operands must be matrices");
  const char* const function = "Sward::apply_row_update";
  const SelectedWeights<ExecutionSpace, Weight> target(function, selection, rate, decay, rounding, weight);
  target.check_compressed(function, "step", {step.extent(0), step.extent(1)});
  if (selection.side == Side::rows) {
    apply_to_rows(function, space, target, step);
  } else {
    apply_to_columns(function, space, target, step);
  }
}

}  // namespace Sward
