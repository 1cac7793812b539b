#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>

#include "Sward_AdamBlock.hpp"
#include "Sward_SelectedWeights.hpp"

namespace Sward {

/// Adam on the gradient of one matrix, and its steps on the rows (columns) of the weight that the gradient is of.
///
/// Teams take several rows of the gradient each. By columns, the steps of a row and its random bits go through the
/// scratch memory of the team: the slots of one column may lie in two blocks, and neighbouring lanes had better take
/// neighbouring columns.
template <class ExecutionSpace, class Gradient, class First, class Second, class Weight>
class RowUpdate {
  using Target = SelectedWeights<ExecutionSpace, Weight>;
  using Value = typename Target::Value;
  using Bits = PieceBits<ExecutionSpace>;
  /// One row each for a row of the gradient, in whole blocks.
  template <class T>
  using Scratch = Kokkos::View<T**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  static constexpr int width = BlockLanes<ExecutionSpace>::width;

 public:
  using Adam = AdamBlock<ExecutionSpace, Gradient, First, Second>;

  RowUpdate() = default;

  /// Throws ExtentError unless the gradient is that of the target.
  RowUpdate(const char* function, const Adam& adam, const Target& target) : adam_(adam), target_(target) {
    target.check_compressed(function, "gradient",
                            {static_cast<std::size_t>(adam.rows()), static_cast<std::size_t>(adam.columns())});
  }

  KOKKOS_INLINE_FUNCTION Side side() const { return target_.selection.side; }
  /// Of the gradient.
  int rows() const { return adam_.rows(); }
  int columns() const { return adam_.columns(); }

  /// The same of AdamBlock.
  std::size_t blocks() const { return adam_.blocks(); }
  void write_squares(const typename Adam::Squares& squares) { adam_.write_squares(squares); }
  void count_as_part(const PartPlace& place) { adam_.count_as_part(place); }

  /// Bytes of scratch of a team that takes `share` rows.
  std::size_t scratch_bytes(int share) const {
    if (side() == Side::rows) return 0;
    return (sizeof(Value) + sizeof(std::uint16_t)) * scratch_elements(share) + alignof(Pack<Value, width>);
  }

  /// Updates up to `share` rows of the gradient from `first` on. Called by a team, whose scratch is of `level`.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void update(const Team& team, int level, int first, int share) const {
    const int left = adam_.rows() - first;
    const int count = left < share ? left : share;
    if (side() == Side::rows) {
      update_rows(team, first, count);
    } else {
      update_columns(team, level, first, count);
    }
  }

 private:
  /// Calls function(row, block) for all blocks of `count` rows, count > 0, spread over the threads of the team.
  template <class Team, class Function>
  KOKKOS_INLINE_FUNCTION void for_each_block_of_rows(const Team& team, int first, int count,
                                                     const Function& function) const {
    const int blocks = blocks_of(adam_.columns());
    int row = first;
    for (int block = team.team_rank();; block += team.team_size()) {
      for (; block >= blocks; block -= blocks)  // instead of a division, which takes longer
        if (++row == first + count) return;
      function(row, block);
    }
  }

  KOKKOS_INLINE_FUNCTION bool draws() const { return Adam::draws || target_.draws(); }

  template <class Team>
  KOKKOS_INLINE_FUNCTION void update_rows(const Team& team, int first, int count) const {
    const int columns = adam_.columns();
    for_each_block_of_rows(team, first, count, [&](const int slot, const int block) {
      // Loads are under way before the selection, another load, tells whether they are needed.
      typename Adam::Lane lane;
      for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) { adam_.load(piece, lane); });
      const int row = target_.row_of(slot);
      if (target_.repeats(slot, row)) return;
      typename Target::Values values;
      Bits bits;
      for_each_lane(team, row, block, columns, [&](const LanePiece& piece) { target_.load(piece, values); });
      for_each_lane(team, slot, block, columns, [&](const LanePiece& piece) {
        if (draws()) adam_.draw(piece, bits);
        values.unpack(piece.count);
      });
      const auto take_step = [&](const int s, const Value old_share) {
        const Value factor = target_.factor(s);
        adam_.update(team, s, block, bits, lane, [&](const LanePiece&, const int k, const auto step) {
          values[k] = old_share * values[k] - factor * static_cast<Value>(step);
        });
      };
      take_step(slot, target_.kept);
      const int end = target_.end_of_row(slot, row);
      for (int s = slot + 1; s < end; ++s) {
        for_each_lane(team, s, block, columns, [&](const LanePiece& piece) {
          adam_.load(piece, lane);
          if (draws()) adam_.draw(piece, bits);
        });
        take_step(s, Value(1));
      }
      for_each_lane(team, row, block, columns, [&](const LanePiece& piece) { target_.store(piece, bits, values); });
    });
  }

  KOKKOS_INLINE_FUNCTION std::size_t scratch_elements(int share) const {
    return static_cast<std::size_t>(share) * static_cast<std::size_t>(blocks_of(adam_.columns()) * block_extent);
  }

  template <class Team>
  KOKKOS_INLINE_FUNCTION void update_columns(const Team& team, int level, int first, int count) const {
    const int extent = blocks_of(adam_.columns()) * block_extent;
    const std::size_t bytes = (sizeof(Value) + sizeof(std::uint16_t)) * scratch_elements(count);
    auto* const memory =
        static_cast<Value*>(team.team_scratch(level).get_shmem_aligned(bytes, alignof(Pack<Value, width>)));
    const Scratch<Value> steps(memory, count, extent);
    const Scratch<std::uint16_t> random(reinterpret_cast<std::uint16_t*>(memory + scratch_elements(count)), count,
                                        extent);
    for_each_block_of_rows(team, first, count, [&](const int row, const int block) {
      keep_steps(team, row, block, row - first, steps, random);
    });
    team.team_barrier();
    target_.update_columns(
        team, first, count, [&](const int i, const int slot) { return steps(i, slot); },
        [&](const int i, const int slot) { return static_cast<std::uint32_t>(random(i, slot)); });
  }

  /// Puts the steps of a block of the gradient, and the random bits of its weights, into row `place` of both.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void keep_steps(const Team& team, int row, int block, int place, const Scratch<Value>& steps,
                                         const Scratch<std::uint16_t>& random) const {
    const int columns = adam_.columns();
    const auto kept = [&](const LanePiece& piece) {
      return LanePiece{place, piece.begin, runs_on_host<ExecutionSpace> ? piece.count : width};
    };
    typename Adam::Lane lane;
    Bits bits;
    LaneValues<ExecutionSpace, Scratch<Value>> own;
    for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
      adam_.load(piece, lane);
      if (draws()) adam_.draw(piece, bits);
      own.attach(steps, kept(piece));
    });
    adam_.update(team, row, block, bits, lane,
                 [&](const LanePiece&, const int k, const auto step) { own[k] = static_cast<Value>(step); });
    for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
      own.store(steps, kept(piece), true, [](int, const Value step) { return step; });
      if (!target_.draws()) return;
      std::uint32_t pieces[width];
      bits.template take<RoundedValue::weight>(piece.count, pieces);
      store_piece<width>(random, kept(piece), true, [&](const int k) { return static_cast<std::uint16_t>(pieces[k]); });
    });
  }

  Adam adam_;
  Target target_;
};

}  // namespace Sward
