#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AdamStep.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Moment.hpp"

namespace Sward {

/// Adam on the gradient and the moments of one matrix, a block at a time; the part that all updates share.
template <class Gradient, class First, class Second>
class AdamBlock {
 public:
  using FirstMoment = Moment<MomentOrder::first, First>;
  using SecondMoment = Moment<MomentOrder::second, Second>;
  using Real = typename FirstMoment::Real;
  static_assert(std::is_same_v<Real, typename SecondMoment::Real>, "Sward: both moments must be computed in one type");

  /// Throws unless both moments have the extents of the gradient and the count is positive.
  template <class ExecutionSpace>
  AdamBlock(const char* function, const ExecutionSpace& space, const AdamStep& step, const Rounding& rounding,
            const Gradient& gradient, const First& first_moment, const Second& second_moment)
      : adam_(step),
        gradient_(gradient),
        first_moment_(space, first_moment, rounding.draw),
        second_moment_(space, second_moment, rounding.draw),
        in_packs_(moves_in_packs<ExecutionSpace>(gradient)) {
    static_assert(Gradient::rank() == 2, "Sward: the gradient must be a matrix");
    require(step.count >= 1, function, "the count is " + std::to_string(step.count) + ", wanted 1 or more");
    check_moment(function, "first_moment", first_moment, gradient.extent(0), gradient.extent(1));
    check_moment(function, "second_moment", second_moment, gradient.extent(0), gradient.extent(1));
  }

  /// Updates the moments of one block of a row, and hands the steps m̂ / (sqrt(v̂) + ε) of each lane to
  /// use(piece, steps). Called by one thread of a team with all its lanes.
  template <class Team, class Use>
  KOKKOS_INLINE_FUNCTION void operator()(const Team& team, int row, int block, const Use& use) const {
    constexpr int width = BlockLanes<typename Team::execution_space>::width;
    // From one loop over the lanes to the next: every lane of a GPU has its own, and a host has one lane.
    Real first[width];
    Real second[width];
    for_each_lane(team, row, block, static_cast<int>(gradient_.extent(1)), [&](const LanePiece& piece) {
      Real steps[width];
      load_piece(gradient_, piece, in_packs_, steps);
      first_moment_.load(piece, first);
      second_moment_.load(piece, second);
      for_each_element<width>(piece.count, [&](const int k) { steps[k] = adam_(steps[k], first[k], second[k]); });
      use(piece, steps);
    });
    first_moment_.store(team, row, block, first);
    second_moment_.store(team, row, block, second);
  }

 private:
  AdamFormula<Real> adam_;
  Gradient gradient_;
  FirstMoment first_moment_;
  SecondMoment second_moment_;
  bool in_packs_;
};

}  // namespace Sward
