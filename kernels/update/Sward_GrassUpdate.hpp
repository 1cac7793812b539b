#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamBlock.hpp"
#include "Sward_SelectedWeights.hpp"

namespace Sward {

template <class ExecutionSpace, class Adam, class Weight>
void grass_update_rows(const char* label, const ExecutionSpace& space, const Adam& adam,
                       const SelectedWeights<ExecutionSpace, Weight>& target) {
  using Target = SelectedWeights<ExecutionSpace, Weight>;
  using Value = typename Target::Value;
  const int columns = static_cast<int>(target.weight.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      label, block_policy(space, target.selection.rank(), columns), KOKKOS_LAMBDA(const Member& team) {
        const int slot = team.league_rank();
        if (target.repeats(slot)) return;
        const int end = target.end_of_row(slot);
        for_each_block(team, columns, [&](const int block) {
          // A lane's own, as in AdamBlock. Read first, so that it is under way together with the moments.
          typename Target::Values values;
          for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) { target.load(piece, values); });
          for (int s = slot; s < end; ++s) {
            const Value factor = target.factor(s);
            const Value old_share = target.old_share(s);
            adam(team, s, block, [&](const LanePiece&, const int k, const auto step) {
              values[k] = old_share * values[k] - factor * static_cast<Value>(step);
            });
          }
          for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) { target.store(piece, values); });
        });
      });
}

template <class ExecutionSpace, class Adam, class Weight>
void grass_update_columns(const char* label, const ExecutionSpace& space, const Adam& adam,
                          const SelectedWeights<ExecutionSpace, Weight>& target) {
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  using Member = typename Policy::member_type;
  using Value = typename SelectedWeights<ExecutionSpace, Weight>::Value;
  using Steps =
      Kokkos::View<Value*, typename ExecutionSpace::scratch_memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  const int rank = target.selection.rank();
  const std::size_t bytes = Steps::shmem_size(static_cast<std::size_t>(rank));
  // The near memory of a team holds some 8,000 steps; Kokkos keeps far memory for a rank beyond that.
  const int level = bytes <= static_cast<std::size_t>(Policy::scratch_size_max(0)) ? 0 : 1;
  auto policy = block_policy(space, static_cast<int>(target.weight.extent(0)), rank);
  policy.set_scratch_size(level, Kokkos::PerTeam(bytes));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        // Slots of one column may lie in two blocks, and neighbouring lanes had better take neighbouring columns.
        const Steps row_steps(team.team_scratch(level), static_cast<std::size_t>(rank));
        for_each_block(team, rank, [&](const int block) {
          adam(team, row, block, [&](const LanePiece& piece, const int k, const auto step) {
            row_steps(piece.begin + k) = static_cast<Value>(step);
          });
        });
        team.team_barrier();
        target.update_columns(team, row, [&](const int slot) { return row_steps(slot); });
      });
}

/// Adam on the compressed gradient and the update of the selected rows (columns) of the weight, in one pass:
///   W[rows] = (1 - decay) W[rows] - rate ρ m̂ / (sqrt(v̂) + ε)
/// which is adam_update and then apply_row_update, without the step in memory. weight is m x n; gradient and moments
/// are r x n (m x r for columns). The gradient is float or double; moments the same, BFloat16, or MomentCodes; weights
/// float, double or BFloat16; `rounding` says how what is kept in fewer bits is rounded. Steps of a row that was drawn
/// several times add up, and it decays once. Asynchronous on `space`. Throws ExtentError when the extents do not fit.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
void grass_update(const ExecutionSpace& space, const RowSelection<ExecutionSpace>& selection, const AdamStep& step,
                  double rate, double decay, const Rounding& rounding, const Gradient& gradient,
                  const First& first_moment, const Second& second_moment, const Weight& weight) {
  const char* const function = "Sward::grass_update";
  const AdamBlock<ExecutionSpace, Gradient, First, Second> adam(function, step, rounding, gradient, first_moment,
                                                                second_moment);
  const SelectedWeights<ExecutionSpace, Weight> target(function, selection, rate, decay, rounding, weight);
  target.check_compressed(function, "gradient", {gradient.extent(0), gradient.extent(1)});
  if (selection.side == Side::rows) {
    grass_update_rows(function, space, adam, target);
  } else {
    grass_update_columns(function, space, adam, target);
  }
}

}  // namespace Sward
