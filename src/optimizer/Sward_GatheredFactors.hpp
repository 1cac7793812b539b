#pragma once

#include <array>
#include <cstddef>
#include <stdexcept>
#include <utility>

#include "Sward_Arena.hpp"
#include "Sward_GradientSink.hpp"

namespace Sward {

/// Memory for selected columns of factors, which all projected matrices share: as many blocks of tokens x rank as the
/// model may be writing at a time, side by side, so that one product can take several.
template <class ExecutionSpace, class Scalar>
class GatheredFactors {
  static constexpr std::size_t blocks = GradientSink<ExecutionSpace, Scalar>::most_slices;

 public:
  using Matrix = typename GradientSink<ExecutionSpace, Scalar>::Matrix;

  GatheredFactors() = default;
  GatheredFactors(Arena<ExecutionSpace>& arena, std::size_t tokens, std::size_t rank) : rank_(rank) {
    const auto memory = arena.template vector<Scalar>("gathered factors", BlockKind::workspace, tokens * blocks * rank);
    all_ = Matrix(memory.data(), tokens, blocks * rank);
  }

  /// A matrix in the first block that nobody else has until it is given back; at most tokens x rank. Throws
  /// std::logic_error when all blocks are taken.
  Matrix take(std::size_t rows, std::size_t columns) {
    for (std::size_t i = 0; i < blocks; ++i) {
      if (is_taken_[i]) continue;
      is_taken_[i] = true;
      return Kokkos::subview(all_, std::pair<std::size_t, std::size_t>(0, rows),
                             std::pair(begin(i), begin(i) + columns));
    }
    throw std::logic_error("Sward::GatheredFactors: all blocks are taken");
  }

  /// What is done with the matrix must be queued on the instance that the next one is written on, before it is taken.
  void give_back(const Matrix& matrix) {
    for (std::size_t i = 0; i < blocks; ++i)
      if (all_.data() + begin(i) == matrix.data()) is_taken_[i] = false;
  }

  /// All of them, for an update that begins anew.
  void give_back_all() { is_taken_ = {}; }

 private:
  std::size_t begin(std::size_t block) const { return block * rank_; }

  std::size_t rank_ = 0;
  Matrix all_;
  std::array<bool, blocks> is_taken_{};
};

}  // namespace Sward
