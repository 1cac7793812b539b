#pragma once

#include <Kokkos_Core.hpp>
#include <initializer_list>

#include "Sward_Check.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Rounding.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// The selected rows (columns) of a weight, or all of its rows, and how steps are put onto them: each row decays once,
/// and then takes the steps of all the slots that hold it, which are neighbours. The first of them does the work for
/// all.
template <class ExecutionSpace, class Weight>
struct SelectedWeights {
  static_assert(are_outputs<ExecutionSpace, Weight>());
  using Values = LaneValues<ExecutionSpace, Weight>;
  using Value = typename Values::Value;
  using Element = typename Weight::non_const_value_type;
  /// Elements of a column that one thread has under way together.
  static constexpr int rows_at_once = runs_on_host<ExecutionSpace> ? 1 : 4;

  RowSelection<ExecutionSpace> selection;
  bool takes_all = false;  ///< every row has the slot of its number, and a scale of 1
  Value rate;
  Value kept;
  Rounding rounding;
  Weight weight;
  bool in_packs = false;

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

  /// Whether the slot before holds the same row as `slot`, which is `row`.
  KOKKOS_INLINE_FUNCTION bool repeats(int slot, int row) const { return slot > 0 && row_of(slot - 1) == row; }

  /// The slot after the last one that holds the same row as `slot`.
  KOKKOS_INLINE_FUNCTION int end_of_row(int slot, int row) const {
    int end = slot + 1;
    while (end < selection.rank() && row_of(end) == row) ++end;
    return end;
  }

  /// Reads a piece of the weight.
  KOKKOS_INLINE_FUNCTION void load(const LanePiece& piece, Values& values) const {
    values.load(weight, piece, in_packs);
  }

  /// Whether random bits are needed.
  KOKKOS_INLINE_FUNCTION bool draws() const { return std::is_same_v<Element, BFloat16> && rounding.stochastic; }

  /// Rounds a piece, and writes it.
  KOKKOS_INLINE_FUNCTION void store(const LanePiece& piece, const PieceBits<ExecutionSpace>& bits,
                                    Values& values) const {
    store_weights(weight, piece, in_packs, rounding, bits, values);
  }

  /// What the steps of a slot are multiplied by.
  KOKKOS_INLINE_FUNCTION Value factor(int slot) const {
    return takes_all ? rate : rate * static_cast<Value>(selection.scale(slot));
  }

  /// Puts the steps of `count` rows from `first` on onto the selected columns: step_of(i, slot) is a step in row
  /// first + i, and random_of(i, slot) has the bits of that element. Called by a team.
  template <class Team, class StepOf, class RandomOf>
  KOKKOS_INLINE_FUNCTION void update_columns(const Team& team, int first, int count, const StepOf& step_of,
                                             const RandomOf& random_of) const {
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, selection.rank()), [&](const int slot) {
      const int column = row_of(slot);
      if (repeats(slot, column)) return;
      const int end = end_of_row(slot, column);
      for (int i = 0; i < count; i += rows_at_once)
        update_elements(first, i, count - i < rows_at_once ? count - i : rows_at_once, column, slot, end, step_of,
                        random_of);
    });
  }

 private:
  /// Elements first + begin to first + begin + count - 1 of the column that slots `slot` to `end` - 1 hold.
  template <class StepOf, class RandomOf>
  KOKKOS_INLINE_FUNCTION void update_elements(int first, int begin, int count, int column, int slot, int end,
                                              const StepOf& step_of, const RandomOf& random_of) const {
    const auto for_each_row = [&](const auto& function) { for_each_element<rows_at_once>(count, function); };
    Pack<Element, rows_at_once> old;
    Value sums[rows_at_once];
    std::uint32_t random[rows_at_once] = {};
    for_each_row([&](const int k) { old[k] = weight(first + begin + k, column); });
    const Value scale = static_cast<Value>(selection.scale(slot));
    for_each_row([&](const int k) { sums[k] = scale * step_of(begin + k, slot); });
    for (int s = slot + 1; s < end; ++s)
      for_each_row([&](const int k) { sums[k] += static_cast<Value>(selection.scale(s)) * step_of(begin + k, s); });
    if (draws()) for_each_row([&](const int k) { random[k] = random_of(begin + k, end - 1); });
    for_each_row([&](const int k) {
      const Value value = kept * static_cast<Value>(old[k]) - rate * sums[k];
      weight(first + begin + k, column) = rounded_weight<Element>(rounding, value, random[k]);
    });
  }
};

}  // namespace Sward
