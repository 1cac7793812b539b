#pragma once

#include <string>

#include "Sward_AgeSlots.hpp"
#include "Sward_Arena.hpp"
#include "Sward_CopyNumbers.hpp"
#include "Sward_Fill.hpp"
#include "Sward_FindKeptSlots.hpp"
#include "Sward_MomentPair.hpp"
#include "Sward_MoveSlots.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// How many updates the moments of each selected row have had, where those of rows that stay selected are kept.
template <class ExecutionSpace>
class SlotAges {
  using Numbers = typename RowSelection<ExecutionSpace>::template List<int>;
  using Factors = typename RowSelection<ExecutionSpace>::template List<float>;
  using Column = Kokkos::View<int**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

 public:
  SlotAges(Arena<ExecutionSpace>& arena, const std::string& name, std::size_t rank)
      : ages_(arena.template vector<int>(name + " ages", BlockKind::optimizer_state, rank)),
        factor_(arena.template vector<float>(name + " factor", BlockKind::optimizer_state, rank)),
        rows_before_(arena.template vector<int>(name + " rows before", BlockKind::optimizer_state, rank)),
        source_(arena.template vector<int>(name + " kept slots", BlockKind::optimizer_state, rank)) {}

  /// As before the first selection.
  void reset(const ExecutionSpace& space) { fill(space, ages_, 0); }

  /// Before rows are chosen anew.
  void remember(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection) {
    copy_numbers(space, selection.rows, rows_before_);
  }

  /// In place of follow, where no update is made with the new rows: those that moments and ages are of.
  void restore(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection) {
    copy_numbers(space, rows_before_, selection.rows);
  }

  /// Behind that choice: moments and ages of rows that stay go along, those of new rows start at zero.
  template <class Value>
  void follow(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
              const MomentPair<ExecutionSpace, Value>& moments) {
    find_kept_slots(space, rows_before_, selection.rows, source_);
    moments.move_slots(space, selection.side, source_);
    move_slots(space, Side::rows, source_, Column(ages_.data(), ages_.extent(0), 1));
  }

  /// The selection whose factors correct the bias of an update and ramp it, for each row by its age.
  RowSelection<ExecutionSpace> age(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection,
                                   const AgeingRule& rule) {
    age_slots(space, rule, selection.scale, ages_, factor_);
    RowSelection<ExecutionSpace> aged = selection;
    aged.scale = factor_;
    return aged;
  }

  Numbers ages() const { return ages_; }

 private:
  Numbers ages_;
  Factors factor_;
  Numbers rows_before_;
  Numbers source_;
};

}  // namespace Sward
