#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <utility>

#include "Sward_GradientSink.hpp"
#include "Sward_ProjectGathered.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// The product that makes a gradient of the selected columns of one factor, for whoever has the other one: `keep` times
/// what is there is added to it.
template <class ExecutionSpace, class Scalar>
struct ColumnProduct {
  using Sink = GradientSink<ExecutionSpace, Scalar>;

  Side side;
  typename Sink::Matrix gathered;          ///< tokens x selected
  typename Sink::GradientMatrix gradient;  ///< selected x inputs, or outputs x selected
  Real<Scalar> keep;

  /// Queues the product on `space`.
  void multiply(const ExecutionSpace& space, const typename Sink::ConstMatrix& other) const {
    project_gathered(space, side, gathered, other, keep, gradient);
  }

  /// Whether `next`, with the same other factor, now is a part of this product: of rows, whose columns and gradients
  /// lie side by side.
  bool take_in(const ColumnProduct& next) {
    if (!is_followed_by(next)) return false;
    const std::size_t columns = gathered.extent(1) + next.gathered.extent(1);
    const typename Sink::Matrix whole_rows(gathered.data(), gathered.extent(0), gathered.stride(0));
    gathered = Kokkos::subview(whole_rows, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, columns));
    gradient = typename Sink::GradientMatrix(gradient.data(), columns, gradient.extent(1));
    return true;
  }

 private:
  bool is_followed_by(const ColumnProduct& next) const {
    return side == Side::rows && next.side == side && next.keep == keep &&
           next.gathered.extent(0) == gathered.extent(0) && next.gathered.stride(0) == gathered.stride(0) &&
           next.gathered.data() == gathered.data() + gathered.extent(1) &&
           next.gradient.extent(1) == gradient.extent(1) &&
           next.gradient.data() == gradient.data() + gradient.extent(0) * gradient.extent(1);
  }
};

}  // namespace Sward
