#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "Sward_Arena.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_MatrixSplit.hpp"
#include "Sward_PackShare.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_UnpackShares.hpp"

namespace Sward {

/// Makes weights whole again of which each rank has updated its share: one message a layer, in memory that all layers
/// have in common.
template <class ExecutionSpace, class Scalar>
class ShardedWeights {
  using Matrix = typename GradientSink<ExecutionSpace, Scalar>::Matrix;
  using Pieces = typename Arena<ExecutionSpace>::template MatrixView<Scalar>;

 public:
  using Shares = WeightShares<ExecutionSpace, Matrix>;

  ShardedWeights() = default;
  explicit ShardedWeights(const Shard& shard) : shard_(shard) {}

  void add_layer(std::string label) { layers_.push_back({std::move(label), {}, 0}); }
  /// To the layer of this number.
  void add(std::size_t layer, const Shares& shares) {
    layers_[layer].weights.push_back(shares);
    layers_[layer].piece_size += shares.piece_size();
  }
  /// After the last weight: takes memory for the pieces of all ranks.
  void plan(Arena<ExecutionSpace>& arena) {
    for (const Layer& layer : layers_) largest_ = std::max(largest_, layer.piece_size);
    if (largest_ == 0) return;
    memory_ = arena.template vector<Scalar>("pieces of weights", BlockKind::workspace, ranks() * largest_);
  }

  /// What a rank gives to the message of a layer.
  std::size_t bytes(std::size_t layer) const { return layers_[layer].piece_size * sizeof(Scalar); }
  /// What all give to the largest message.
  std::size_t largest_bytes() const { return ranks() * largest_ * sizeof(Scalar); }

  /// Elements of all ranks' shares of the largest weight.
  std::size_t largest_weight() const {
    std::size_t largest = 0;
    for (const Layer& layer : layers_)
      for (const Shares& shares : layer.weights) largest = std::max(largest, shares.piece_size());
    return ranks() * largest;
  }

  /// Behind the updates of a layer. Asynchronous on `space` as far as the group is.
  void exchange(const ExecutionSpace& space, std::size_t number, ProcessGroup& group) const {
    const Layer& layer = layers_[number];
    if (layer.piece_size == 0) return;
    const Pieces pieces(memory_.data(), ranks(), layer.piece_size);
    for_each_weight(layer, [&](const Shares& shares, const auto& columns) {
      pack_share(space, shares, shard_.rank, Kokkos::subview(pieces, shard_.rank, columns));
    });
    group.all_gather(space, pieces, "the weights of " + layer.label);
    for_each_weight(layer, [&](const Shares& shares, const auto& columns) {
      unpack_shares(space, shares, shard_.rank, Kokkos::subview(pieces, Kokkos::ALL, columns));
    });
  }

 private:
  struct Layer {
    std::string label;
    std::vector<Shares> weights;
    std::size_t piece_size;
  };

  std::size_t ranks() const { return static_cast<std::size_t>(shard_.ranks); }

  /// Calls function(shares, where they lie in a piece).
  template <class Function>
  static void for_each_weight(const Layer& layer, const Function& function) {
    std::size_t begin = 0;
    for (const Shares& shares : layer.weights) {
      function(shares, std::pair(begin, begin + shares.piece_size()));
      begin += shares.piece_size();
    }
  }

  Shard shard_;
  std::vector<Layer> layers_;
  std::size_t largest_ = 0;
  typename Arena<ExecutionSpace>::template VectorView<Scalar> memory_;
};

}  // namespace Sward
