#pragma once

#include <Kokkos_Core.hpp>
#include <initializer_list>

#include "Sward_Check.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Rounding.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// The selected rows (columns) of a weight, and how steps are put onto them: each row decays once, and then takes the
/// steps of all the slots that hold it, which are neighbours. The first of them does the work for all.
template <class ExecutionSpace, class Weight>
struct SelectedWeights {
  using Values = LaneValues<ExecutionSpace, Weight>;
  using Value = typename Values::Value;

  RowSelection<ExecutionSpace> selection;
  Value rate;
  Value kept;
  Rounding rounding;
  Weight weight;
  bool in_packs;

  /// Throws ExtentError unless the selection is one of the weight's.
  SelectedWeights(const char* function, const RowSelection<ExecutionSpace>& given, double learning_rate, double decay,
                  const Rounding& given_rounding, const Weight& given_weight)
      : selection(given),
        rate(static_cast<Value>(learning_rate)),
        kept(static_cast<Value>(1 - decay)),
        rounding(given_rounding),
        weight(given_weight),
        in_packs(moves_in_packs<ExecutionSpace>(given_weight)) {
    static_assert(Weight::rank() == 2, "Sward: the weight must be a matrix");
    require_extents(function, "the selected side of weight", {weight.extent(selection.side == Side::rows ? 0 : 1)},
                    {static_cast<std::size_t>(selection.extent)});
    require_extents(function, "selection.scale", {selection.scale.extent(0)}, {selection.rows.extent(0)});
  }

  /// Throws ExtentError unless `extents` are r x n, or m x r for columns.
  void check_compressed(const char* function, const char* argument, std::initializer_list<std::size_t> extents) const {
    const bool by_rows = selection.side == Side::rows;
    const std::size_t rank = selection.rows.extent(0);
    require_extents(function, argument, extents,
                    {by_rows ? rank : weight.extent(0), by_rows ? weight.extent(1) : rank});
  }

  /// Whether an earlier slot holds the same row.
  KOKKOS_INLINE_FUNCTION bool repeats(int slot) const {
    return slot > 0 && selection.rows(slot - 1) == selection.rows(slot);
  }

  /// The slot after the last one that holds the same row as `slot`.
  KOKKOS_INLINE_FUNCTION int end_of_row(int slot) const {
    int end = slot + 1;
    while (end < selection.rank() && selection.rows(end) == selection.rows(slot)) ++end;
    return end;
  }

  /// Reads the part of the weight's row that `piece` is of its slot.
  KOKKOS_INLINE_FUNCTION void load(const LanePiece& piece, Values& values) const {
    values.load(weight, {selection.rows(piece.row), piece.begin, piece.count}, in_packs);
  }

  KOKKOS_INLINE_FUNCTION void store(const LanePiece& piece, Values& values) const {
    store_weights(weight, {selection.rows(piece.row), piece.begin, piece.count}, in_packs, rounding, values);
  }

  /// What the steps of a slot are multiplied by.
  KOKKOS_INLINE_FUNCTION Value factor(int slot) const { return rate * static_cast<Value>(selection.scale(slot)); }

  /// The share that is kept of a row's values when the steps of `slot` come in.
  KOKKOS_INLINE_FUNCTION Value old_share(int slot) const { return repeats(slot) ? Value(1) : kept; }

  /// The selected columns of one row of the weight; step_of(slot) is that row's step.
  template <class Team, class StepOf>
  KOKKOS_INLINE_FUNCTION void update_columns(const Team& team, int row, const StepOf& step_of) const {
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, selection.rank()), [&](const int slot) {
      if (repeats(slot)) return;
      const int column = selection.rows(slot);
      const int end = end_of_row(slot);
      Value sum = 0;
      for (int s = slot; s < end; ++s) sum += static_cast<Value>(selection.scale(s)) * step_of(s);
      store_weight(weight, row, column, rounding, kept * static_cast<Value>(weight(row, column)) - rate * sum);
    });
  }
};

}  // namespace Sward
