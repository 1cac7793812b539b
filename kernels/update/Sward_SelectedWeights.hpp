#pragma once

#include <Kokkos_Core.hpp>
#include <initializer_list>

#include "Sward_Check.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Rounding.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// The selected rows (columns) of a weight, or all of its rows, and how steps are put onto them: each row decays once,
/// and then takes the steps of all the slots that hold it, which are neighbours. The first of them does the work for
/// all.
template <class ExecutionSpace, class Weight>
struct SelectedWeights {
  using Values = LaneValues<ExecutionSpace, Weight>;
  using Value = typename Values::Value;
  using Element = typename Weight::non_const_value_type;
  /// Columns that are read and written together: those that share a number of the random stream.
  static constexpr int group_extent = 8;

  RowSelection<ExecutionSpace> selection;
  bool takes_all = false;  ///< every row has the slot of its number, and a scale of 1
  Value rate;
  Value kept;
  Rounding rounding;
  Weight weight;
  bool in_packs;

  SelectedWeights() = default;

  /// All rows.
  SelectedWeights(double learning_rate, double decay, const Rounding& given_rounding, const Weight& given_weight)
      : selection{{}, {}, static_cast<int>(given_weight.extent(0)), Side::rows},
        takes_all(true),
        rate(static_cast<Value>(learning_rate)),
        kept(static_cast<Value>(1 - decay)),
        rounding(given_rounding),
        weight(given_weight),
        in_packs(moves_in_packs<ExecutionSpace>(given_weight)) {
    static_assert(Weight::rank() == 2, "Sward: the weight must be a matrix");
  }

  /// Throws ExtentError unless the selection is one of the weight's.
  SelectedWeights(const char* function, const RowSelection<ExecutionSpace>& given, double learning_rate, double decay,
                  const Rounding& given_rounding, const Weight& given_weight)
      : SelectedWeights(learning_rate, decay, given_rounding, given_weight) {
    selection = given;
    takes_all = false;
    require_extents(function, "the selected side of weight", {weight.extent(selection.side == Side::rows ? 0 : 1)},
                    {static_cast<std::size_t>(selection.extent)});
    require_extents(function, "selection.scale", {selection.scale.extent(0)}, {selection.rows.extent(0)});
  }

  /// Throws ExtentError unless `extents` are r x n, or m x r for columns.
  void check_compressed(const char* function, const char* argument, std::initializer_list<std::size_t> extents) const {
    const bool by_rows = selection.side == Side::rows;
    const auto slots = takes_all ? weight.extent(0) : selection.rows.extent(0);
    require_extents(function, argument, extents,
                    {by_rows ? slots : weight.extent(0), by_rows ? weight.extent(1) : slots});
  }

  /// The row (column) that a slot holds.
  KOKKOS_INLINE_FUNCTION int row_of(int slot) const { return takes_all ? slot : selection.rows(slot); }

  /// Whether an earlier slot holds the same row.
  KOKKOS_INLINE_FUNCTION bool repeats(int slot) const { return slot > 0 && row_of(slot - 1) == row_of(slot); }

  /// The slot after the last one that holds the same row as `slot`.
  KOKKOS_INLINE_FUNCTION int end_of_row(int slot) const {
    int end = slot + 1;
    while (end < selection.rank() && row_of(end) == row_of(slot)) ++end;
    return end;
  }

  /// Reads the part of the weight's row that `piece` is of its slot.
  KOKKOS_INLINE_FUNCTION void load(const LanePiece& piece, Values& values) const {
    values.load(weight, {row_of(piece.row), piece.begin, piece.count}, in_packs);
  }

  KOKKOS_INLINE_FUNCTION void store(const LanePiece& piece, Values& values) const {
    store_weights(weight, {row_of(piece.row), piece.begin, piece.count}, in_packs, rounding, values);
  }

  /// What the steps of a slot are multiplied by.
  KOKKOS_INLINE_FUNCTION Value factor(int slot) const {
    return takes_all ? rate : rate * static_cast<Value>(selection.scale(slot));
  }

  /// The share that is kept of a row's values when the steps of `slot` come in.
  KOKKOS_INLINE_FUNCTION Value old_share(int slot) const { return repeats(slot) ? Value(1) : kept; }

  KOKKOS_INLINE_FUNCTION int groups() const { return (selection.extent + group_extent - 1) / group_extent; }

  /// starts(g) = the first slot whose column is in group g or beyond, for g from 0 to groups(). Called by a team, which
  /// has to wait before it reads them.
  template <class Team, class Starts>
  KOKKOS_INLINE_FUNCTION void find_groups(const Team& team, const Starts& starts) const {
    const int rank = selection.rank();
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rank + 1), [&](const int slot) {
      const int last = slot == rank ? groups() : selection.rows(slot) / group_extent;
      for (int group = slot == 0 ? 0 : selection.rows(slot - 1) / group_extent + 1; group <= last; ++group)
        starts(group) = slot;
    });
  }

  /// The selected columns of one row of the weight; step_of(slot) is that row's step. Called by a team that found the
  /// groups.
  template <class Team, class Starts, class StepOf>
  KOKKOS_INLINE_FUNCTION void update_columns(const Team& team, const Starts& starts, int row,
                                             const StepOf& step_of) const {
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, groups()), [&](const int group) {
      const int slot = starts(group);
      const int end = starts(group + 1);
      if (slot < end) update_group(row, group * group_extent, slot, end, step_of);
    });
  }

 private:
  /// The columns of a group that begins at column `begin` are those of slots `slot` to `end` - 1.
  template <class StepOf>
  KOKKOS_INLINE_FUNCTION void update_group(int row, int begin, int slot, int end, const StepOf& step_of) const {
    const int left = selection.extent - begin;
    const LanePiece piece{row, begin, left < group_extent ? left : group_extent};
    Pack<Element, group_extent> elements;
    load_piece(weight, piece, in_packs, elements);
    std::uint32_t random[group_extent] = {};
    if (std::is_same_v<Element, BFloat16> && rounding.stochastic)
      random_pieces(rounding.draw, element_number(row, begin, static_cast<int>(weight.extent(1))), piece.count, random);
    SWARD_UNROLL
    for (int k = 0; k < group_extent; ++k) {
      if (slot == end || selection.rows(slot) != begin + k) continue;
      Value sum = 0;
      for (; slot < end && selection.rows(slot) == begin + k; ++slot)
        sum += static_cast<Value>(selection.scale(slot)) * step_of(slot);
      elements[k] = rounded_weight<Element>(rounding, kept * static_cast<Value>(elements[k]) - rate * sum, random[k]);
    }
    store_piece<group_extent>(weight, piece, in_packs, [&](const int k) { return elements[k]; });
  }
};

}  // namespace Sward
