#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_AdamBlock.hpp"
#include "Sward_SelectedWeights.hpp"

namespace Sward {

/// Adam on the gradient of one matrix, and its steps on the rows (columns) of the weight that the gradient is of.
///
/// Teams take several rows of the gradient each. By columns, the steps of a row go through the scratch memory of the
/// team: the slots of one column may lie in two blocks, and neighbouring lanes had better take neighbouring columns.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
class RowUpdate {
  using Target = SelectedWeights<ExecutionSpace, Weight>;
  using Value = typename Target::Value;
  template <class T>
  using Scratch =
      Kokkos::View<T*, typename ExecutionSpace::scratch_memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

 public:
  using Adam = AdamBlock<ExecutionSpace, Gradient, First, Second>;

  RowUpdate() = default;

  /// Throws ExtentError unless the gradient is that of the target.
  RowUpdate(const char* function, const Adam& adam, const Target& target) : adam_(adam), target_(target) {
    target.check_compressed(function, "gradient",
                            {static_cast<std::size_t>(adam.rows()), static_cast<std::size_t>(adam.columns())});
  }

  Side side() const { return target_.selection.side; }
  /// Of the gradient.
  int rows() const { return adam_.rows(); }
  int columns() const { return adam_.columns(); }

  /// Bytes of scratch of a team that takes `share` rows.
  std::size_t scratch_bytes(int share) const {
    if (side() == Side::rows) return 0;
    return Scratch<Value>::shmem_size(static_cast<std::size_t>(share * columns())) +
           Scratch<int>::shmem_size(static_cast<std::size_t>(target_.groups()) + 1);
  }

  /// Updates up to `share` rows of the gradient from `first` on. Called by a team, whose scratch is of `level`.
  template <Side side, class Team>
  KOKKOS_INLINE_FUNCTION void update(const Team& team, int level, int first, int share) const {
    const int left = adam_.rows() - first;
    const int count = left < share ? left : share;
    if constexpr (side == Side::rows) {
      update_rows(team, first, count);
    } else {
      update_columns(team, level, first, count);
    }
  }

 private:
  /// Calls function(row, block) for all blocks of `count` rows, spread over the threads of the team.
  template <class Team, class Function>
  KOKKOS_INLINE_FUNCTION void for_each_block_of_rows(const Team& team, int first, int count,
                                                     const Function& function) const {
    const int blocks = blocks_of(adam_.columns());
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, count * blocks),
                         [&](const int i) { function(first + i / blocks, i % blocks); });
  }

  template <class Team>
  KOKKOS_INLINE_FUNCTION void update_rows(const Team& team, int first, int count) const {
    const int columns = adam_.columns();
    for_each_block_of_rows(team, first, count, [&](const int slot, const int block) {
      if (target_.repeats(slot)) return;
      const int end = target_.end_of_row(slot);
      typename Target::Values values;
      for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) { target_.load(piece, values); });
      for (int s = slot; s < end; ++s) {
        typename Adam::Lane lane;
        for_each_lane(team, s, block, columns, [&](const LanePiece& piece) {
          adam_.load(piece, lane);
          if (s == slot) values.unpack(piece.count);
        });
        const Value factor = target_.factor(s);
        const Value old_share = target_.old_share(s);
        adam_.update(team, s, block, lane, [&](const LanePiece&, const int k, const auto step) {
          values[k] = old_share * values[k] - factor * static_cast<Value>(step);
        });
      }
      for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) { target_.store(piece, values); });
    });
  }

  template <class Team>
  KOKKOS_INLINE_FUNCTION void update_columns(const Team& team, int level, int first, int count) const {
    const int rank = adam_.columns();
    const Scratch<Value> steps(team.team_scratch(level), static_cast<std::size_t>(count * rank));
    const Scratch<int> starts(team.team_scratch(level), static_cast<std::size_t>(target_.groups()) + 1);
    for_each_block_of_rows(team, first, count, [&](const int row, const int block) {
      adam_(team, row, block, [&](const LanePiece& piece, const int k, const auto step) {
        if (k < piece.count) steps((row - first) * rank + piece.begin + k) = static_cast<Value>(step);
      });
    });
    target_.find_groups(team, starts);
    team.team_barrier();
    for (int i = 0; i < count; ++i)
      target_.update_columns(team, starts, first + i, [&](const int slot) { return steps(i * rank + slot); });
  }

  Adam adam_;
  Target target_;
};

}  // namespace Sward
