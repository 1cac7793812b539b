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
/// Element (i, j) of a matrix of n columns takes its 16 random bits from number (i n + j) / 8 of the stream `draw`: the
/// eight elements that share a number take its pieces in order. Weights count from number 0, first moments from 2^46
/// and second moments from 2^47, so that none sees the bits of another.
struct Rounding {
  bool stochastic = false;  ///< BFloat16 weights; otherwise they are rounded to the nearest
  Draw draw = {};           ///< of this update of this matrix; moments in BFloat16 or 8 bits always use it
};

/// Piece k (0 to 7) of 16 bits.
KOKKOS_INLINE_FUNCTION std::uint32_t piece_of(const RandomBits& bits, int k) {
  const std::uint64_t word = k < 4 ? bits.first : bits.second;
  return static_cast<std::uint32_t>(word >> (16 * (k % 4))) & 0xffffU;
}

/// The 16 random bits of one element, by its number in the stream's elements.
KOKKOS_INLINE_FUNCTION std::uint32_t random_piece(const Draw& draw, std::uint64_t element) {
  return piece_of(random_bits(draw, element / 8), static_cast<int>(element % 8));
}

/// The same for `count` elements from number `first` on; those beyond may be filled too. Eight neighbours take the
/// pieces of two calls at the most.
template <int width>
KOKKOS_INLINE_FUNCTION void random_pieces(const Draw& draw, std::uint64_t first, int count,
                                          std::uint32_t (&pieces)[width]) {
  static_assert(width % 8 == 0, "Sward::random_pieces: eight elements share the bits of a call");
  const int offset = static_cast<int>(first % 8);
  for (int group = 0; group < width; group += 8) {
    if (group >= count) return;
    const std::uint64_t number = first / 8 + static_cast<std::uint64_t>(group / 8);
    const RandomBits bits = random_bits(draw, number);
    if (offset == 0) {
      for (int k = 0; k < 8; ++k) pieces[group + k] = piece_of(bits, k);
    } else {
      const RandomBits next = random_bits(draw, number + 1);
      for (int k = 0; k < 8; ++k)
        pieces[group + k] = offset + k < 8 ? piece_of(bits, offset + k) : piece_of(next, offset + k - 8);
    }
  }
}

/// The number of element (row, column) in a matrix of `columns` columns.
KOKKOS_INLINE_FUNCTION std::uint64_t element_number(int row, int column, int columns) {
  return static_cast<std::uint64_t>(row) * static_cast<std::uint64_t>(columns) + static_cast<std::uint64_t>(column);
}

/// Stores a lane's values of a matrix; those of a BFloat16 one with the random bits from element `first` of the stream
/// on.
template <class ExecutionSpace, class View>
KOKKOS_INLINE_FUNCTION void store_stochastically(const View& view, const LanePiece& piece, bool in_packs,
                                                 const Draw& draw, std::uint64_t first,
                                                 LaneValues<ExecutionSpace, View>& values) {
  using Element = typename View::non_const_value_type;
  if constexpr (std::is_same_v<Element, BFloat16>) {
    std::uint32_t random[BlockLanes<ExecutionSpace>::width];
    random_pieces(draw, first + element_number(piece.row, piece.begin, static_cast<int>(view.extent(1))), piece.count,
                  random);
    values.store(view, piece, in_packs,
                 [&](const int k, const float value) { return BFloat16::stochastic(value, random[k]); });
  } else {
    values.store(view, piece, in_packs, [](int, const Element value) { return value; });
  }
}

/// Stores a lane's values of a weight matrix.
template <class ExecutionSpace, class View>
KOKKOS_INLINE_FUNCTION void store_weights(const View& weight, const LanePiece& piece, bool in_packs,
                                          const Rounding& rounding, LaneValues<ExecutionSpace, View>& values) {
  using Element = typename View::non_const_value_type;
  if (rounding.stochastic) return store_stochastically(weight, piece, in_packs, rounding.draw, 0, values);
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
