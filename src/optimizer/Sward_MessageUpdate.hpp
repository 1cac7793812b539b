#pragma once

#include <tuple>

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
  explicit MessageUpdate(const ExecutionSpace& space) : space_(space) {}

  /// Takes an update whose moments are kept in Storage.
  template <class Storage>
  void add(const Update<Storage>& update) {
    auto& batch = std::get<Batch<Storage>>(batches_);
    if (batch.is_full()) launch(batch);
    batch.add(update);
  }

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
  std::tuple<Batch<typename Moments::Full>, Batch<typename Moments::Half>, Batch<typename Moments::Codes>> batches_;
};

}  // namespace Sward
