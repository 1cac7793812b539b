#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Check.hpp"
#include "Sward_EightBitFloat.hpp"
#include "Sward_ElementBlock.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Rounding.hpp"

namespace Sward {

/// A moment in 8 bits an element, 1.016 bytes with its scales: a code for each element, and a factor for each block of
/// 256 elements of a row, the last one of which may be shorter. All zeros is a moment of zero.
///
/// A block's factor makes its largest magnitude the largest number of the code, so a large element costs precision in
/// its own block alone. Source of the blocks: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv
/// 2110.02861. In place of its tables, which are searched, the codes here are small floats: a sign, 4 bits of exponent
/// and 3 of fraction for the first moment; 5 and 3 for the second, which has no sign. See Moment for what that keeps.
template <class ExecutionSpace>
struct MomentCodes {
  template <class T>
  using View = Kokkos::View<T**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  View<std::uint8_t> codes;  ///< rows x columns
  View<float> scales;        ///< rows x blocks_of(columns)

  /// Of the codes.
  std::size_t extent(int dimension) const { return codes.extent(dimension); }
};

/// What keeps a moment: an output, or codes in eight bits.
template <class ExecutionSpace, class Storage>
constexpr bool is_moment() {
  if constexpr (!std::is_same_v<Storage, MomentCodes<ExecutionSpace>>) {
    static_assert(Kokkos::is_view_v<Storage> && is_computed_with<ElementOf<Storage>>,
                  "Sward: moments must be views of float, double or BFloat16, or MomentCodes of the execution space");
    static_assert(is_written<ExecutionSpace, Storage>());
  }
  return true;
}

/// Adam's m and v.
enum class MomentOrder { first, second };

/// Which random bits a moment is rounded with.
template <MomentOrder order>
inline constexpr RoundedValue rounded_moment =
    order == MomentOrder::first ? RoundedValue::first_moment : RoundedValue::second_moment;

/// How kernels read and write a moment, a block at a time; for matrices of float, double or BFloat16.
///
/// BFloat16 is rounded stochastically: β2 = 0.999 changes a second moment by a thousandth in an update, which rounding
/// to the nearest of 128 numbers an octave would undo every time.
template <MomentOrder order, class ExecutionSpace, class Storage>
class Moment {
 public:
  using Lane = LaneValues<ExecutionSpace, Storage>;
  using Value = typename Lane::Value;
  /// Whether random bits are needed.
  static constexpr bool draws = std::is_same_v<typename Storage::non_const_value_type, BFloat16>;

  Moment() = default;
  explicit Moment(const Storage& values) : values_(values), in_packs_(moves_in_packs<ExecutionSpace>(values)) {}

  /// Starts the loads of a piece.
  KOKKOS_INLINE_FUNCTION void load(const LanePiece& piece, Lane& lane) const { lane.load(values_, piece, in_packs_); }

  /// Called by a thread with all its lanes, each with what it loaded and changed. `columns` are those of the matrix.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void store(const Team& team, int row, int block, int columns,
                                    const PieceBits<ExecutionSpace>& bits, Lane& lane) const {
    for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
      store_stochastically<rounded_moment<order>>(values_, piece, in_packs_, bits, lane);
    });
  }

 private:
  Storage values_;
  bool in_packs_ = false;
};

/// The same for 8 bits. Stored values are rounded stochastically, for the reason given above, and unbiased: by less
/// than 1/8 of their size, or by less than 2^-17 / 1.875 (first moment) and 2^-33 / 1.875 (second) of the block's
/// largest. A second moment that is not zero never becomes zero, since beside a first moment it would make a step of
/// m / ε: it is raised to the least code. That one's root, 2^-16.5 / 1.37 of the largest's, is close to the unit of the
/// first moment, so that no rounding of a first moment makes a step much beyond those of the block's largest elements.
template <MomentOrder order, class ExecutionSpace>
class Moment<order, ExecutionSpace, MomentCodes<ExecutionSpace>> {
  static constexpr bool is_signed = order == MomentOrder::first;
  using Magnitude = EightBitFloat<is_signed ? 113 : 97>;
  static_assert(Magnitude::largest_code == (is_signed ? 127 : 255), "Sward::Moment: the codes must fill 8 bits");

 public:
  using Value = float;
  static constexpr bool draws = true;
  static constexpr int width = BlockLanes<ExecutionSpace>::width;

  /// What a lane has of a block: codes as they are stored, then the numbers that they stand for, to be changed.
  struct Lane {
    Pack<std::uint8_t, width> codes;
    float scale;
    float values[width];

    /// Makes numbers of the first `count` codes.
    KOKKOS_INLINE_FUNCTION void unpack(int count) {
      for_each_value<width>(count, [&](const int k) { values[k] = scale * decode(codes[k]); });
    }
    KOKKOS_INLINE_FUNCTION float& operator[](int k) { return values[k]; }
  };

  Moment() = default;
  explicit Moment(const MomentCodes<ExecutionSpace>& storage)
      : storage_(storage), in_packs_(moves_in_packs<ExecutionSpace>(storage.codes)) {}

  /// Starts the loads of a piece.
  KOKKOS_INLINE_FUNCTION void load(const LanePiece& piece, Lane& lane) const {
    load_piece(storage_.codes, piece, in_packs_, lane.codes);
    lane.scale = storage_.scales(piece.row, piece.begin / block_extent);
  }

  /// As of the other moments; the block gets a scale that fits its largest number.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void store(const Team& team, int row, int block, int columns,
                                    const PieceBits<ExecutionSpace>& bits, Lane& lane) const {
    const auto& values = lane.values;
    // The smallest normal number: its inverse is finite, and a block of zeros needs no case of its own.
    constexpr float least = 0x1p-126F;
    const float largest = largest_magnitude(team, row, block, columns, values);
    const float scale = largest < least * Magnitude::largest ? least : largest / Magnitude::largest;
    const float inverse = 1.0F / scale;
    for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
      std::uint32_t random[width];
      bits.template take<rounded_moment<order>>(piece.count, random);
      store_piece<width>(storage_.codes, piece, in_packs_, [&](const int k) {
        return static_cast<std::uint8_t>(encode(inverse * values[k], random[k]));
      });
    });
    Kokkos::single(Kokkos::PerThread(team), [&] { storage_.scales(row, block) = scale; });
  }

 private:
  KOKKOS_INLINE_FUNCTION static float decode(std::uint32_t code) {
    if constexpr (!is_signed) return Magnitude::decode(code);
    const float magnitude = Magnitude::decode(code & 0x7fU);
    return Kokkos::bit_cast<float>(Kokkos::bit_cast<std::uint32_t>(magnitude) | (code & 0x80U) << 24);
  }

  KOKKOS_INLINE_FUNCTION static std::uint32_t encode(float value, std::uint32_t random) {
    const std::uint32_t code = Magnitude::encode(Kokkos::fabs(value), random);
    if constexpr (is_signed) return code | (Kokkos::bit_cast<std::uint32_t>(value) >> 31) << 7;
    return code == 0 && value > 0 ? 1 : code;
  }

  /// Of all lanes. Compared by their bits, which order as the numbers do, and in which NaN is the largest.
  template <class Team>
  KOKKOS_INLINE_FUNCTION float largest_magnitude(const Team& team, int row, int block, int columns,
                                                 const float (&values)[width]) const {
    constexpr int lanes = BlockLanes<ExecutionSpace>::count;
    std::uint32_t largest = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, lanes),
        [&](const int lane, std::uint32_t& maximum) {
          std::uint32_t of_lane = 0;
          for_each_value<width>(lane_piece(team, row, block, columns, lane).count, [&](const int k) {
            const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(values[k]) & 0x7fffffffU;
            of_lane = bits > of_lane ? bits : of_lane;
          });
          maximum = of_lane > maximum ? of_lane : maximum;
        },
        Kokkos::Max<std::uint32_t>(largest));
    return Kokkos::bit_cast<float>(largest);
  }

  MomentCodes<ExecutionSpace> storage_;
  bool in_packs_ = false;
};

/// Throws ExtentError unless a moment has the extents of the gradient.
template <class Storage>
void check_moment(const char* function, const char* argument, const Storage& moment, std::size_t rows,
                  std::size_t columns) {
  static_assert(Storage::rank() == 2, "Sward: moments must be matrices");
  require_extents(function, argument, {moment.extent(0), moment.extent(1)}, {rows, columns});
}

/// The same of codes and their scales.
template <class ExecutionSpace>
void check_moment(const char* function, const char* argument, const MomentCodes<ExecutionSpace>& moment,
                  std::size_t rows, std::size_t columns) {
  const auto blocks = static_cast<std::size_t>(blocks_of(static_cast<int>(columns)));
  require_extents(function, argument,
                  {moment.codes.extent(0), moment.codes.extent(1), moment.scales.extent(0), moment.scales.extent(1)},
                  {rows, columns, rows, blocks});
}

}  // namespace Sward
