#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace Sward {

// IEEE 754 half precision by its bits: 1 of sign, 5 of exponent, 10 of fraction.

/// The same value in single precision, exactly.
inline float widen_float16(std::uint16_t bits) {
  const std::uint32_t sign = (std::uint32_t{bits} & 0x8000U) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1fU;
  const std::uint32_t fraction = bits & 0x3ffU;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000U | (fraction << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float subnormal = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -subnormal : subnormal;
}

/// The nearest half, ties to the one whose last bit is 0; NaN stays NaN, and what is too large becomes infinity.
inline std::uint16_t narrow_float16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  constexpr std::uint32_t infinity = 0x7c00;
  const auto signed_half = [&](std::uint32_t half) { return static_cast<std::uint16_t>(sign | half); };
  if (magnitude > 0x7f800000U) return signed_half(infinity | 0x200U);
  if (magnitude >= 0x47800000U) return signed_half(infinity);  // 65536 or more
  if (magnitude < 0x38800000U) {
    // Below 2^-14 halves are multiples of 2^-24, which is the distance of the floats above 0.5.
    return signed_half(std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) - 0x3f000000U);
  }
  const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return signed_half((rounded - (112U << 23)) >> 13);
}

}  // namespace Sward
