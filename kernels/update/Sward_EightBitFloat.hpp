#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

namespace Sward {

/// Magnitudes from 0 to 1.875 in a code with three bits of fraction: spacings of 2^-3 below each power of two down to
/// 2^(lowest - 127), and even ones from there to 0, as in any binary float. Larger codes are larger numbers. Each of
/// two neighbours is within 1/8 of a number between them that is no less than 2^(lowest - 127), and within
/// 2^(lowest - 130) of a smaller one. All steps are exact, so that every backend gives the same codes.
template <std::uint32_t lowest>
struct EightBitFloat {
  static constexpr float largest = 1.875F;
  static constexpr std::uint32_t largest_code = (127 - lowest) * 8 + 15;

  /// One of the two neighbours of `value`, the upper with the probability that makes the mean exact, to 2^-17 of their
  /// gap, for 16 uniform bits `random`. What is not below the largest, NaN too, becomes the largest.
  KOKKOS_INLINE_FUNCTION static std::uint32_t encode(float value, std::uint32_t random) {
    const float bounded = value < largest ? value : largest;
    const std::uint32_t exponent = Kokkos::bit_cast<std::uint32_t>(bounded) >> 23;
    const std::uint32_t power = exponent > lowest ? exponent : lowest;
    const float spacings = bounded * Kokkos::bit_cast<float>((257 - power) << 23);  // below 16
    const float dither = (static_cast<float>(static_cast<std::int32_t>(random)) + 0.5F) * 0x1p-16F;
    return (power - lowest) * 8 + static_cast<std::uint32_t>(static_cast<std::int32_t>(spacings + dither));
  }

  /// The number of a code from 0 to largest_code.
  KOKKOS_INLINE_FUNCTION static float decode(std::uint32_t code) {
    const float spacing = Kokkos::bit_cast<float>((lowest - 3) << 23);
    return code < 8 ? static_cast<float>(static_cast<std::int32_t>(code)) * spacing
                    : Kokkos::bit_cast<float>((code + (lowest - 1) * 8) << 20);
  }
};

}  // namespace Sward
