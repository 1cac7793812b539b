#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "Sward_MatrixSplit.hpp"
#include "Sward_WeightShares.hpp"

namespace Sward {

/// Shares of all rows and columns of a matrix that is split so.
template <class ExecutionSpace, class Matrix>
WeightShares<ExecutionSpace, Matrix> whole_shares(const Matrix& matrix, const MatrixSplit& split) {
  const Side side = split.along == Side::rows ? Side::columns : Side::rows;
  return {matrix, side, true, {}, static_cast<int>(split.share)};
}

/// What ranks share of the matrices of a layer: a rank's shares lie side by side in one piece, which is as large for
/// all ranks.
template <class ExecutionSpace, class Matrix>
struct LayerShares {
  using Shares = WeightShares<ExecutionSpace, Matrix>;

  std::string label;
  std::vector<Shares> shares;
  std::size_t piece_size = 0;

  /// Of the next matrix, behind those that are there.
  void add(const Shares& more) {
    shares.push_back(more);
    piece_size += more.piece_size();
  }

  /// Calls function(shares of a matrix, where they lie in a piece).
  template <class Function>
  void for_each(const Function& function) const {
    std::size_t begin = 0;
    for (const Shares& one : shares) {
      function(one, std::pair(begin, begin + one.piece_size()));
      begin += one.piece_size();
    }
  }

  /// What a rank has of each matrix, in its piece.
  template <class Piece>
  auto parts_of(int rank, const Piece& piece) const {
    using Part = Kokkos::View<typename Piece::value_type**, Kokkos::LayoutRight, ExecutionSpace,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    std::vector<Part> parts;
    for_each([&](const Shares& one, const auto& place) {
      auto* const data = piece.data() == nullptr ? nullptr : piece.data() + place.first;
      const Part share(data, one.piece_rows(), one.piece_columns());
      parts.push_back(
          Kokkos::subview(share, std::pair(0, one.owned_rows(rank)), std::pair(0, one.owned_columns(rank))));
    });
    return parts;
  }
};

/// Elements of the largest piece.
template <class Layers>
std::size_t largest_piece(const Layers& layers) {
  std::size_t largest = 0;
  for (const auto& layer : layers) largest = std::max(largest, layer.piece_size);
  return largest;
}

}  // namespace Sward
