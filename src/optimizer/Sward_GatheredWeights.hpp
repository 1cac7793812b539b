#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "Sward_Arena.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_LayerShares.hpp"
#include "Sward_PackShares.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_UnpackShares.hpp"
#include "Sward_WeightSource.hpp"

namespace Sward {

/// Weights of which each rank keeps its share, and which come together group by group in memory of the model's: by one
/// message, that may be under way while the group before is in use, and a pass that puts the pieces in their places.
template <class ExecutionSpace, class Scalar>
class GatheredWeights : public WeightSource<ExecutionSpace> {
  using Layer = LayerShares<ExecutionSpace, typename GradientSink<ExecutionSpace, Scalar>::Matrix>;
  using Pieces = typename Arena<ExecutionSpace>::template MatrixView<Scalar>;
  using Piece = typename Arena<ExecutionSpace>::template VectorView<Scalar>;

 public:
  using Shares = typename Layer::Shares;
  using Part = typename GradientSink<ExecutionSpace, Scalar>::Matrix;

  GatheredWeights(const Shard& shard, ProcessGroup& group) : shard_(shard), group_(group) {}

  /// The next group of weights that come together.
  void add_group(const std::string& label) { layers_.push_back({label, {}, 0}); }
  /// The next parameter, to the group that was added last; `shares` are of the model's view.
  void add(const Shares& shares) {
    places_.push_back({layers_.size() - 1, layers_.back().shares.size()});
    layers_.back().add(shares);
  }
  /// After the last parameter: takes memory for this rank's piece of each group, and for the pieces of all ranks.
  void plan(Arena<ExecutionSpace>& arena) {
    for (const Layer& layer : layers_)
      own_.push_back(arena.template vector<Scalar>(layer.label + " weights", BlockKind::weight, layer.piece_size));
    pieces_ =
        arena.template vector<Scalar>("pieces of weights", BlockKind::workspace, ranks() * largest_piece(layers_));
    is_whole_.assign(layers_.size(), false);
  }

  /// What this rank has of the weights of each parameter of a group.
  std::vector<Part> parts(std::size_t group) const { return layers_[group].parts_of(shard_.rank, own_[group]); }

  /// What a rank gives when the weights of a group come together.
  std::size_t bytes(std::size_t group) const { return layers_[group].piece_size * sizeof(Scalar); }
  /// What all give to the largest message.
  std::size_t largest_bytes() const { return ranks() * largest_piece(layers_) * sizeof(Scalar); }
  /// What this rank has given since `begin_update`.
  std::size_t gathered_bytes() const { return gathered_bytes_; }

  /// Nothing is whole any more, as behind an update.
  void forget(const ExecutionSpace& space) {
    if (coming_) group_.wait(space, coming_->ticket);
    coming_.reset();
    is_whole_.assign(layers_.size(), false);
  }
  void begin_update(const ExecutionSpace& space) {
    forget(space);
    gathered_bytes_ = 0;
  }

  void prefetch(const ExecutionSpace& space, std::size_t group) override {
    if (is_whole_[group] || (coming_ && coming_->group == group)) return;
    const Layer& layer = layers_[group];
    coming_ = {group, group_.start_all_gather(space, own_[group], pieces_of(layer), "the weights of " + layer.label)};
    gathered_bytes_ += bytes(group);
  }

  void fetch(const ExecutionSpace& space, std::size_t group) override {
    if (is_whole_[group]) return;
    prefetch(space, group);
    group_.wait(space, coming_->ticket);
    coming_.reset();
    const Layer& layer = layers_[group];
    const Pieces pieces = pieces_of(layer);
    layer.for_each([&](const Shares& shares, const auto& columns) {
      unpack_shares(space, shares, from_all_ranks, Kokkos::subview(pieces, Kokkos::ALL, columns));
    });
    for (std::size_t other = 0; other < layers_.size(); ++other)
      if (overlap(layer, layers_[other])) is_whole_[other] = false;
    is_whole_[group] = true;
  }

  void keep(const ExecutionSpace& space, std::size_t parameter) override {
    const std::size_t group = places_[parameter].first;
    const std::size_t place = places_[parameter].second;
    const Layer& layer = layers_[group];
    const Pieces own(own_[group].data(), 1, layer.piece_size);
    std::size_t i = 0;
    layer.for_each([&](const Shares& shares, const auto& columns) {
      if (i++ == place) pack_shares(space, shares, shard_.rank, Kokkos::subview(own, Kokkos::ALL, columns));
    });
  }

 private:
  struct Coming {
    std::size_t group;
    ProcessGroup::Ticket ticket;
  };

  std::size_t ranks() const { return static_cast<std::size_t>(shard_.ranks); }
  Pieces pieces_of(const Layer& layer) const { return Pieces(pieces_.data(), ranks(), layer.piece_size); }

  /// Whether the model has both in the same memory.
  static bool overlap(const Layer& one, const Layer& other) {
    const auto memory = [](const Layer& layer) {
      std::pair span(std::numeric_limits<std::uintptr_t>::max(), std::uintptr_t{0});
      for (const Shares& shares : layer.shares) {
        const auto begin = reinterpret_cast<std::uintptr_t>(shares.matrix.data());
        span.first = std::min(span.first, begin);
        span.second = std::max(span.second, begin + shares.matrix.span() * sizeof(Scalar));
      }
      return span;
    };
    return memory(one).first < memory(other).second && memory(other).first < memory(one).second;
  }

  Shard shard_;
  ProcessGroup& group_;
  std::vector<Layer> layers_;
  std::vector<std::pair<std::size_t, std::size_t>> places_;  ///< of each parameter: its group, and where in it
  std::vector<Piece> own_;                                   ///< this rank's piece of each group
  Piece pieces_;                                             ///< of all ranks, of one group
  std::vector<bool> is_whole_;
  std::optional<Coming> coming_;
  std::size_t gathered_bytes_ = 0;
};

}  // namespace Sward
