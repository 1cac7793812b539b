#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "Sward_Arena.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_LayerShares.hpp"
#include "Sward_PackShares.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_UnpackShares.hpp"

namespace Sward {

/// Makes weights whole again of which each rank has updated its share: one message a layer, in memory that all layers
/// have in common.
template <class ExecutionSpace, class Scalar>
class SharedUpdates {
  using Matrix = typename GradientSink<ExecutionSpace, Scalar>::Matrix;
  using Pieces = typename Arena<ExecutionSpace>::template MatrixView<Scalar>;
  using Layer = LayerShares<ExecutionSpace, Matrix>;

 public:
  using Shares = typename Layer::Shares;

  SharedUpdates() = default;
  explicit SharedUpdates(const Shard& shard) : shard_(shard) {}

  /// The next layer.
  void add_layer(const std::string& label) { layers_.push_back({label, {}, 0}); }
  /// To the layer of this number.
  void add(std::size_t layer, const Shares& shares) { layers_[layer].add(shares); }
  /// After the last weight: takes memory for the pieces of all ranks.
  void plan(Arena<ExecutionSpace>& arena) {
    largest_ = largest_piece(layers_);
    if (largest_ == 0) return;
    memory_ = arena.template vector<Scalar>("pieces of weights", BlockKind::workspace, ranks() * largest_);
  }

  /// What a rank gives to the message of a layer.
  std::size_t bytes(std::size_t layer) const {
    return layers_.empty() ? 0 : layers_[layer].piece_size * sizeof(Scalar);
  }
  /// What all give to the largest message.
  std::size_t largest_bytes() const { return ranks() * largest_ * sizeof(Scalar); }

  /// Behind the updates of a layer. Asynchronous on `space` as far as the group is.
  void exchange(const ExecutionSpace& space, std::size_t number, ProcessGroup& group) const {
    if (bytes(number) == 0) return;
    const Layer& layer = layers_[number];
    const Pieces pieces(memory_.data(), ranks(), layer.piece_size);
    const std::pair own(shard_.rank, shard_.rank + 1);
    layer.for_each([&](const Shares& shares, const auto& columns) {
      pack_shares(space, shares, shard_.rank, Kokkos::subview(pieces, own, columns));
    });
    group.all_gather(space, pieces, "the weights of " + layer.label);
    layer.for_each([&](const Shares& shares, const auto& columns) {
      unpack_shares(space, shares, shard_.rank, Kokkos::subview(pieces, Kokkos::ALL, columns));
    });
  }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(shard_.ranks); }

  Shard shard_;
  std::vector<Layer> layers_;
  std::size_t largest_ = 0;
  typename Arena<ExecutionSpace>::template VectorView<Scalar> memory_;
};

}  // namespace Sward
