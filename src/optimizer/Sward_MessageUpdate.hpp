#pragma once

#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include "Sward_AdamWUpdate.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_MomentPair.hpp"

namespace Sward {

/// The updates of the parameters of one message, collected to be launched together: each of a layer's takes some
/// microseconds, which is what a launch costs.
template <class ExecutionSpace, class Scalar>
class MessageUpdate {
  using Sink = GradientSink<ExecutionSpace, Scalar>;
  template <class Storage>
  using Update = RowUpdate<ExecutionSpace, typename Sink::GradientMatrix, Storage, Storage, typename Sink::Matrix>;
  template <class Storage>
  using Batch = UpdateBatch<Update<Storage>, updates_of_a_launch<Update<Storage>>>;
  using Moments = MomentPair<ExecutionSpace, Real<Scalar>>;

 public:
  using Squares =
      Kokkos::View<Real<Scalar>*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  /// `squares`, unless empty, is for the sums of squares that updates write of their gradients' blocks.
  explicit MessageUpdate(const ExecutionSpace& space, const Squares& squares = {}) : space_(space), squares_(squares) {}

  const ExecutionSpace& space() const { return space_; }

  /// Takes an update whose moments are kept in Storage.
  template <class Storage>
  void add(Update<Storage> update) {
    auto& batch = std::get<Batch<Storage>>(batches_);
    if (batch.is_full()) launch(batch);
    if (squares_.extent(0) > 0) {
      const std::size_t end = begin_of_next_ + update.blocks();
      update.write_squares(Kokkos::subview(squares_, std::pair(begin_of_next_, end)));
      blocks_.push_back(update.blocks());
      begin_of_next_ = end;
    }
    batch.add(update);
  }

  /// How many of the squares are of each update; they lie one behind the other.
  const std::vector<std::size_t>& blocks() const { return blocks_; }

  /// Starts what was added.
  void launch() {
    std::apply([&](auto&... batch) { (launch(batch), ...); }, batches_);
  }

 private:
  template <class AnyBatch>
  void launch(AnyBatch& batch) {
    if (batch.count > 0) launch_updates("Sward::grass_update", space_, batch);
    batch.count = 0;
  }

  ExecutionSpace space_;
  Squares squares_;
  std::vector<std::size_t> blocks_;
  std::size_t begin_of_next_ = 0;
  std::tuple<Batch<typename Moments::Full>, Batch<typename Moments::Half>, Batch<typename Moments::Codes>> batches_;
};

}  // namespace Sward
