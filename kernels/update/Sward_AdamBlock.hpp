#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_AdamStep.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Moment.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// Adam on the gradient and the moments of one matrix, a block at a time; the part that all updates share.
template <class ExecutionSpace, class Gradient, class First, class Second>
class AdamBlock {
  static_assert(are_inputs<ExecutionSpace, Gradient>() && is_moment<ExecutionSpace, First>() &&
                is_moment<ExecutionSpace, Second>());

 public:
  using FirstMoment = Moment<MomentOrder::first, ExecutionSpace, First>;
  using SecondMoment = Moment<MomentOrder::second, ExecutionSpace, Second>;
  using Value = typename FirstMoment::Value;
  static_assert(std::is_same_v<Value, typename SecondMoment::Value>,
                "Sward: both moments must be computed in one type");

  using Gradients = LaneValues<ExecutionSpace, Gradient>;
  using Squares = Kokkos::View<typename Gradients::Value*, Kokkos::LayoutRight, ExecutionSpace,
                               Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  AdamBlock() = default;
  /// Throws unless both moments have the extents of the gradient and the count is positive.
  AdamBlock(const char* function, const AdamStep& step, const Rounding& rounding, const Gradient& gradient,
            const First& first_moment, const Second& second_moment)
      : adam_(step),
        draw_(rounding.draw),
        gradient_(gradient),
        first_moment_(first_moment),
        second_moment_(second_moment),
        in_packs_(moves_in_packs<ExecutionSpace>(gradient)),
        place_{0, 0, static_cast<int>(gradient.extent(1))} {
    static_assert(Gradient::rank() == 2, "Sward: the gradient must be a matrix");
    require(step.count >= 1, function, "the count is " + std::to_string(step.count) + ", wanted 1 or more");
    check_moment(function, "first_moment", first_moment, gradient.extent(0), gradient.extent(1));
    check_moment(function, "second_moment", second_moment, gradient.extent(0), gradient.extent(1));
  }

  /// Has updates write the sum of the squares of each block of the gradient, in the order of the rows, which no
  /// clipping scales. A gradient beyond the root of its type's largest number counts as infinite, as its second moment
  /// does.
  void write_squares(const Squares& squares) {
    require_extents("Sward::AdamBlock", "squares", {squares.extent(0)}, {blocks()});
    squares_ = squares;
  }
  /// Has moments and weights rounded as parts of larger ones.
  void count_as_part(const PartPlace& place) { place_ = place; }
  /// Of the gradient.
  std::size_t blocks() const { return gradient_.extent(0) * static_cast<std::size_t>(blocks_of(columns())); }

  KOKKOS_INLINE_FUNCTION int rows() const { return static_cast<int>(gradient_.extent(0)); }
  KOKKOS_INLINE_FUNCTION int columns() const { return static_cast<int>(gradient_.extent(1)); }

  /// What a lane has of one block of a row: from one loop over the lanes to the next every lane of a GPU has its own,
  /// and a host has one lane.
  struct Lane {
    Gradients gradient;
    typename FirstMoment::Lane first;
    typename SecondMoment::Lane second;
  };

  /// Starts the loads of gradient and moments.
  KOKKOS_INLINE_FUNCTION void load(const LanePiece& piece, Lane& lane) const {
    lane.gradient.load(gradient_, piece, in_packs_);
    first_moment_.load(piece, lane.first);
    second_moment_.load(piece, lane.second);
  }

  /// Whether moments are rounded with random bits.
  static constexpr bool draws = FirstMoment::draws || SecondMoment::draws;

  /// Draws the random bits of a piece.
  KOKKOS_INLINE_FUNCTION void draw(const LanePiece& piece, PieceBits<ExecutionSpace>& bits) const {
    bits.draw(draw_, place_.in_whole(piece), place_.columns);
  }

  /// Updates the moments of a block that was loaded, with the bits that were drawn for it, and hands the step
  /// m̂ / (sqrt(v̂) + ε) of each element to use(piece, k, step), as for_each_value does. Called by one thread of a team
  /// with all its lanes.
  template <class Team, class Use>
  KOKKOS_INLINE_FUNCTION void update(const Team& team, int row, int block, const PieceBits<ExecutionSpace>& bits,
                                     Lane& lane, const Use& use) const {
    for_each_lane(team, row, block, columns(), [&](const LanePiece& piece) {
      lane.gradient.unpack(piece.count);
      lane.first.unpack(piece.count);
      lane.second.unpack(piece.count);
      if (squares_.data() != nullptr) write_square(piece, lane);
      for_each_value<BlockLanes<ExecutionSpace>::width>(piece.count, [&](const int k) {
        use(piece, k, adam_(static_cast<Value>(lane.gradient[k]), lane.first[k], lane.second[k]));
      });
    });
    first_moment_.store(team, row, block, columns(), bits, lane.first);
    second_moment_.store(team, row, block, columns(), bits, lane.second);
  }

 private:
  KOKKOS_INLINE_FUNCTION void write_square(const LanePiece& piece, Lane& lane) const {
    const auto sum = sum_of_block<ExecutionSpace, typename Gradients::Value>(
        piece.count, [&](const int k) { return lane.gradient[k] * lane.gradient[k]; });
    if (piece.begin % block_extent == 0) squares_(piece.row * blocks_of(columns()) + piece.begin / block_extent) = sum;
  }

  AdamFormula<Value> adam_;
  Draw draw_;
  Gradient gradient_;
  FirstMoment first_moment_;
  SecondMoment second_moment_;
  bool in_packs_ = false;
  PartPlace place_;
  Squares squares_;
};

}  // namespace Sward
