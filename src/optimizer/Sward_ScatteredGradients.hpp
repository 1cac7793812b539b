#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "Sward_Arena.hpp"
#include "Sward_Copy.hpp"
#include "Sward_FoldVector.hpp"
#include "Sward_LayerShares.hpp"
#include "Sward_PackShares.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// Gradients of which each rank gets the sum of its share: one message a layer, in memory that all layers have in
/// common.
template <class ExecutionSpace, class Value>
class ScatteredGradients {
  template <class T>
  using VectorOf = typename Arena<ExecutionSpace>::template VectorView<T>;
  template <class T>
  using MatrixOf = typename Arena<ExecutionSpace>::template MatrixView<T>;
  using Layer = LayerShares<ExecutionSpace, MatrixOf<Value>>;

 public:
  using Shares = typename Layer::Shares;
  using Part = MatrixOf<Value>;

  /// In bfloat16 gradients are rounded to the nearest before they are sent, and at each hop.
  ScatteredGradients(const Shard& shard, bool in_bfloat16) : shard_(shard), in_bfloat16_(in_bfloat16) {}

  /// The next layer.
  void add_layer(const std::string& label) { layers_.push_back({label, {}, 0}); }
  /// To the layer that was added last.
  void add(const Shares& shares) { layers_.back().add(shares); }
  /// After the last gradient: takes memory for this rank's piece of each layer, and for the pieces of all ranks.
  void plan(Arena<ExecutionSpace>& arena) {
    const std::size_t largest = ranks() * largest_piece(layers_);
    if (in_bfloat16_)
      half_pieces_ = arena.template vector<BFloat16>("pieces of gradients", BlockKind::workspace, largest);
    else
      pieces_ = arena.template vector<Value>("pieces of gradients", BlockKind::workspace, largest);
    for (const Layer& layer : layers_) {
      own_.push_back(
          arena.template vector<Value>(layer.label + " summed gradients", BlockKind::gradient, layer.piece_size));
      if (in_bfloat16_)
        half_own_.push_back(
            arena.template vector<BFloat16>(layer.label + " message", BlockKind::workspace, layer.piece_size));
    }
  }

  /// This rank's sums, side by side, and 0 where the ranks' pieces are larger than its own; and as matrices.
  const VectorOf<Value>& own(std::size_t layer) const { return own_[layer]; }
  std::vector<Part> parts(std::size_t layer) const { return layers_[layer].parts_of(shard_.rank, own_[layer]); }

  /// What a rank gives to the message of a layer.
  std::size_t bytes(std::size_t layer) const {
    return ranks() * layers_[layer].piece_size * (in_bfloat16_ ? sizeof(BFloat16) : sizeof(Value));
  }
  std::size_t largest_bytes() const {
    std::size_t largest = 0;
    for (std::size_t i = 0; i < layers_.size(); ++i) largest = std::max(largest, bytes(i));
    return largest;
  }

  /// Starts the message of a layer whose gradients are complete.
  void start(const ExecutionSpace& space, std::size_t number, ProcessGroup& group) {
    // The message before may still be reading the pieces.
    group.wait(space, under_way_);
    in_bfloat16_ ? start(space, number, group, half_pieces_, half_own_[number])
                 : start(space, number, group, pieces_, own_[number]);
  }

  /// Behind the group's wait.
  void finish(const ExecutionSpace& space, std::size_t number) const {
    if (in_bfloat16_) copy(space, fold_vector(half_own_[number]), fold_vector(own_[number]));
  }

 private:
  std::size_t ranks() const { return static_cast<std::size_t>(shard_.ranks); }

  template <class Memory>
  void start(const ExecutionSpace& space, std::size_t number, ProcessGroup& group, const Memory& memory,
             const Memory& own) {
    const Layer& layer = layers_[number];
    const MatrixOf<typename Memory::value_type> pieces(memory.data(), ranks(), layer.piece_size);
    layer.for_each([&](const Shares& shares, const auto& columns) {
      pack_shares(space, shares, 0, Kokkos::subview(pieces, Kokkos::ALL, columns));
    });
    under_way_ = group.start_reduce_scatter(space, pieces, own, "the gradients of " + layer.label);
  }

  Shard shard_;
  bool in_bfloat16_;
  std::vector<Layer> layers_;
  VectorOf<Value> pieces_;
  VectorOf<BFloat16> half_pieces_;
  std::vector<VectorOf<Value>> own_;
  std::vector<VectorOf<BFloat16>> half_own_;
  ProcessGroup::Ticket under_way_ = 0;
};

}  // namespace Sward
