#pragma once

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

#include "Sward_Arena.hpp"
#include "Sward_GradientSink.hpp"

namespace Sward {

/// Memory for selected columns of factors, which all projected matrices share: as many blocks of tokens x rank as the
/// model may be writing at a time.
template <class ExecutionSpace, class Scalar>
class GatheredFactors {
 public:
  using Matrix = typename GradientSink<ExecutionSpace, Scalar>::Matrix;

  GatheredFactors() = default;
  GatheredFactors(Arena<ExecutionSpace>& arena, std::size_t tokens, std::size_t rank) {
    for (std::size_t i = 0; i < blocks_.size(); ++i)
      blocks_[i].memory =
          arena.template vector<Scalar>("gathered factor " + std::to_string(i), BlockKind::workspace, tokens * rank);
  }

  /// A matrix in a block that nobody else has until it is given back; at most tokens x rank. Throws std::logic_error
  /// when all blocks are taken.
  Matrix take(std::size_t rows, std::size_t columns) {
    for (Block& block : blocks_) {
      if (block.is_taken) continue;
      block.is_taken = true;
      return Matrix(block.memory.data(), rows, columns);
    }
    throw std::logic_error("Sward::GatheredFactors: all blocks are taken");
  }

  /// What is done with the matrix must have been queued on the instance that the next one is written on.
  void give_back(const Matrix& matrix) {
    for (Block& block : blocks_)
      if (block.memory.data() == matrix.data()) block.is_taken = false;
  }

  /// All of them, for an update that begins anew.
  void give_back_all() {
    for (Block& block : blocks_) block.is_taken = false;
  }

 private:
  struct Block {
    typename Arena<ExecutionSpace>::template VectorView<Scalar> memory;
    bool is_taken = false;
  };
  std::array<Block, GradientSink<ExecutionSpace, Scalar>::most_slices> blocks_;
};

}  // namespace Sward
