#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Philox.hpp"

namespace Sward {

/// How an update rounds what it stores in fewer bits than it computes with. float and double are stored as they are.
///
/// Eight neighbours in a row of the gradient share a number of the stream `draw`: of n columns, elements 8 b to 8 b + 7
/// of row i have number i ceil(n / 8) + b, which is eight pieces of 16 bits. Element 8 b + k takes piece k for its
/// weight, k + 3 for its first moment and k + 5 for its second, modulo 8. So no two weights see the same bits, nor do
/// two first moments or two second ones, nor the three values of one element; a weight shares them with moments of two
/// other elements, in whose updates it has no part. A weight that has several slots takes the bits of the last.
struct Rounding {
  bool stochastic = false;  ///< BFloat16 weights; otherwise they are rounded to the nearest
  Draw draw = {};           ///< of this update of this matrix; moments in BFloat16 or 8 bits always use it
};

/// Where a gradient that is a part of a larger one lies in it: its elements take the bits that they have there, which
/// then do not depend on how it was split.
struct PartPlace {
  int first_row = 0;
  int first_column = 0;  ///< a multiple of 8
  int columns = 0;       ///< of the whole

  /// Where a piece of the part lies in the whole.
  KOKKOS_INLINE_FUNCTION LanePiece in_whole(const LanePiece& piece) const {
    return {first_row + piece.row, first_column + piece.begin, piece.count};
  }
};

/// What is rounded of an element, by the distance to the piece that it takes.
enum class RoundedValue : int { weight = 0, first_moment = 3, second_moment = 5 };

/// Piece k (0 to 7) of 16 bits.
KOKKOS_INLINE_FUNCTION std::uint32_t piece_of(const RandomBits& bits, int k) {
  const std::uint64_t word = k < 4 ? bits.first : bits.second;
  return static_cast<std::uint32_t>(word >> (16 * (k % 4))) & 0xffffU;
}

/// The number of the stream that is for element (row, column) of a matrix of `columns` columns.
KOKKOS_INLINE_FUNCTION std::uint64_t stream_number(int row, int column, int columns) {
  const auto numbers = static_cast<std::uint64_t>((columns + 7) / 8);
  return static_cast<std::uint64_t>(row) * numbers + static_cast<std::uint64_t>(column / 8);
}

/// The 16 random bits of one element.
KOKKOS_INLINE_FUNCTION std::uint32_t random_piece(const Draw& draw, RoundedValue value, int row, int column,
                                                  int columns) {
  return piece_of(random_bits(draw, stream_number(row, column, columns)), (column + static_cast<int>(value)) % 8);
}

/// The same for a lane's piece of a row.
template <class ExecutionSpace>
class PieceBits {
  static constexpr int width = BlockLanes<ExecutionSpace>::width;
  static_assert(width % 8 == 0, "Sward::PieceBits: eight elements share a number");

 public:
  /// Draws the bits of a piece of a matrix of `columns` columns.
  KOKKOS_INLINE_FUNCTION void draw(const Draw& draw, const LanePiece& piece, int columns) {
    const std::uint64_t first = stream_number(piece.row, piece.begin, columns);
    for_each_value<width / 8>((piece.count + 7) / 8, [&](const int group) {
      numbers_[group] = random_bits(draw, first + static_cast<std::uint64_t>(group));
    });
  }

  /// The 16 bits of each of the first `count` elements.
  template <RoundedValue value>
  KOKKOS_INLINE_FUNCTION void take(int count, std::uint32_t (&pieces)[width]) const {
    for_each_value<width / 8>((count + 7) / 8, [&](const int group) {
      SWARD_UNROLL
      for (int k = 0; k < 8; ++k) pieces[8 * group + k] = piece_of(numbers_[group], (k + static_cast<int>(value)) % 8);
    });
  }

 private:
  RandomBits numbers_[width / 8];
};

/// Stores a lane's values of a matrix; those of a BFloat16 one with their random bits.
template <RoundedValue value, class ExecutionSpace, class View>
KOKKOS_INLINE_FUNCTION void store_stochastically(const View& view, const LanePiece& piece, bool in_packs,
                                                 const PieceBits<ExecutionSpace>& bits,
                                                 LaneValues<ExecutionSpace, View>& values) {
  using Element = typename View::non_const_value_type;
  if constexpr (std::is_same_v<Element, BFloat16>) {
    std::uint32_t random[BlockLanes<ExecutionSpace>::width];
    bits.template take<value>(piece.count, random);
    values.store(view, piece, in_packs,
                 [&](const int k, const float exact) { return BFloat16::stochastic(exact, random[k]); });
  } else {
    values.store(view, piece, in_packs, [](int, const Element exact) { return exact; });
  }
}

/// Stores a lane's values of a weight matrix.
template <class ExecutionSpace, class View>
KOKKOS_INLINE_FUNCTION void store_weights(const View& weight, const LanePiece& piece, bool in_packs,
                                          const Rounding& rounding, const PieceBits<ExecutionSpace>& bits,
                                          LaneValues<ExecutionSpace, View>& values) {
  using Element = typename View::non_const_value_type;
  if (rounding.stochastic) return store_stochastically<RoundedValue::weight>(weight, piece, in_packs, bits, values);
  values.store(weight, piece, in_packs, [](int, const Real<Element> value) { return static_cast<Element>(value); });
}

/// One element of a weight matrix; `random` are its bits.
template <class Element>
KOKKOS_INLINE_FUNCTION Element rounded_weight(const Rounding& rounding, Real<Element> value,
                                              [[maybe_unused]] std::uint32_t random) {
  if constexpr (std::is_same_v<Element, BFloat16>)
    if (rounding.stochastic) return BFloat16::stochastic(value, random);
  return static_cast<Element>(value);
}

}  // namespace Sward
