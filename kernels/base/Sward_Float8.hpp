#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

namespace Sward {

/// A number of 8 bits: its sign, 4 bits of exponent and 3 of fraction ("e4m3"). Magnitudes from 2^-9 to 448, even
/// spacings of 2^-9 below 2^-6, no infinities. For storage: arithmetic is done in float. Conversions are done on the
/// bits, or by an instruction that gives the same ones.
/// Source: Micikevicius et al., "FP8 Formats for Deep Learning", arXiv 2209.05433.
class Float8 {
 public:
  static constexpr float largest = 448.0F;

  Float8() = default;

  /// The nearest value, ties to the one whose last bit is 0; what is too large becomes the largest, any NaN 0x7f.
  KOKKOS_INLINE_FUNCTION explicit Float8(float value) : bits_(nearest(value)) {}

  /// The number that is stored as these bits.
  KOKKOS_INLINE_FUNCTION static Float8 from_bits(std::uint8_t bits) {
    Float8 result;
    result.bits_ = bits;
    return result;
  }

  /// The bits of two, the first in the lower byte: as many as a GPU converts with one instruction.
  KOKKOS_INLINE_FUNCTION static std::uint16_t pair_of(float first, float second) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    std::uint16_t pair;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(pair) : "f"(second), "f"(first));
    return pair;
#else
    return static_cast<std::uint16_t>(nearest(first) | (nearest(second) << 8));
#endif
  }

  KOKKOS_INLINE_FUNCTION std::uint8_t bits() const { return bits_; }

  KOKKOS_INLINE_FUNCTION operator float() const {
    const std::uint32_t sign = (bits_ & 0x80U) << 24;
    const std::uint32_t code = bits_ & not_a_number;
    const float even = static_cast<float>(static_cast<std::int32_t>(code)) * 0x1p-9F;
    const std::uint32_t spaced = (code << 20) + (exponent_offset << 23);
    const std::uint32_t finite = code < lowest_normal ? Kokkos::bit_cast<std::uint32_t>(even) : spaced;
    return Kokkos::bit_cast<float>(sign | (code == not_a_number ? 0x7fffffffU : finite));
  }

 private:
  static constexpr std::uint32_t not_a_number = 0x7f;
  static constexpr std::uint32_t lowest_normal = 8;          // 2^-6
  static constexpr std::uint32_t exponent_offset = 127 - 7;  // of a float's exponent from ours
  static constexpr std::uint32_t infinity = 0x7f800000U;

  KOKKOS_INLINE_FUNCTION static std::uint8_t nearest(float value) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
    return static_cast<std::uint8_t>(pair_of(value, 0));
#else
    const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & 0x7fffffffU;
    if (magnitude > infinity) return not_a_number;
    const std::uint32_t most = Kokkos::bit_cast<std::uint32_t>(448.0F);
    const std::uint32_t bounded = magnitude < most ? magnitude : most;
    // Half of the last kept place is added, less one for an even one, and the rest cut off; a carry into the exponent
    // gives the next power of two. Below 2^-6 the last place of a float near 2^14 is the spacing.
    const std::uint32_t rounded = bounded + 0x7ffffU + (bounded >> 20 & 1U);
    const std::uint32_t spaced = (rounded >> 20) - (exponent_offset << 3);
    const float shifted = Kokkos::bit_cast<float>(bounded) + 0x1p14F;
    const std::uint32_t even = Kokkos::bit_cast<std::uint32_t>(shifted) - Kokkos::bit_cast<std::uint32_t>(0x1p14F);
    const std::uint32_t code = bounded < Kokkos::bit_cast<std::uint32_t>(0x1p-6F) ? even : spaced;
    return static_cast<std::uint8_t>(code | (bits >> 24 & 0x80U));
#endif
  }

  std::uint8_t bits_;
};

static_assert(sizeof(Float8) == 1, "Sward::Float8 must have one byte");

/// The least power of two, but at least 2^-120, that numbers of at most `magnitude` are to be divided by to become at
/// most Float8::largest. The quotients, rounded and multiplied by it again, are exact in float and in bfloat16. 1 for
/// magnitude 0, and NaN where it is not finite.
KOKKOS_INLINE_FUNCTION float float8_scale(float magnitude) {
  if (magnitude == 0) return 1;
  if (!(magnitude <= Kokkos::Experimental::finite_max_v<float>)) return Kokkos::Experimental::quiet_NaN_v<float>;
  const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(magnitude);
  // 448 is 1.75 * 2^8: a larger fraction needs the next power of two.
  const std::uint32_t exponent = (bits >> 23) + ((bits & 0x7fffffU) > 0x600000U ? 1 : 0);
  constexpr std::uint32_t least = 127 - 120;
  return Kokkos::bit_cast<float>((exponent > least + 8 ? exponent - 8 : least) << 23);
}

}  // namespace Sward
