#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "Sward_Arena.hpp"
#include "Sward_MpiCommunicator.hpp"

namespace Sward {

/// The gradients of one layer side by side, so that each layer is one all-reduce.
///
/// Counts the completions of its parameters over all micro-batches of an update, and starts the sum over ranks when the
/// last has come: inside the backward pass, while the layers below are still at work.
template <class ExecutionSpace, class Value>
class LayerMessage {
 public:
  using Vector = Kokkos::View<Value*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  LayerMessage(std::string label, Vector gradients, int parameters)
      : label_(std::move(label)), gradients_(gradients), parameters_(parameters) {}

  const std::string& label() const { return label_; }
  Vector gradients() const { return gradients_; }
  std::size_t bytes() const { return gradients_.extent(0) * sizeof(Value); }

  void begin_update(int micro_batches) { missing_ = parameters_ * micro_batches; }

  /// One parameter of one micro-batch is complete; starts the message after the last. True if it was started.
  bool complete_parameter(const ExecutionSpace& space, Communicator<MpiSpace>& communicator) {
    if (--missing_ > 0) return false;
    communicator.start_all_reduce(space, gradients_);
    return true;
  }

 private:
  std::string label_;
  Vector gradients_;
  int parameters_;
  int missing_ = 0;
};

}  // namespace Sward
