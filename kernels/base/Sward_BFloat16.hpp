#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

namespace Sward {

/// The upper half of a float: its sign, its 8 bits of exponent, and 7 bits of fraction. For storage: arithmetic is done
/// in float. Conversions are done on the bits, so that every backend gives the same ones.
class BFloat16 {
 public:
  BFloat16() = default;

  /// The nearest value, ties to the one whose last bit is 0; any NaN becomes the one of GPUs, 0x7fff, and what is too
  /// large infinity.
  KOKKOS_INLINE_FUNCTION explicit BFloat16(float value) : bits_(nearest(value)) {}
  KOKKOS_INLINE_FUNCTION explicit BFloat16(double value) : BFloat16(rounded_to_odd(value)) {}

  /// One of the two neighbours of `value`, the upper (in magnitude) with the probability that makes the mean exact:
  /// for uniform 16 low bits of `random`, the distance from the lower one in units of their gap.
  KOKKOS_INLINE_FUNCTION static BFloat16 stochastic(float value, std::uint32_t random) {
    return from_bits(rounded(value, random & 0xffffU));
  }

  /// The number that is stored as these bits.
  KOKKOS_INLINE_FUNCTION static BFloat16 from_bits(std::uint16_t bits) {
    BFloat16 result;
    result.bits_ = bits;
    return result;
  }

  KOKKOS_INLINE_FUNCTION std::uint16_t bits() const { return bits_; }
  KOKKOS_INLINE_FUNCTION operator float() const {
    return Kokkos::bit_cast<float>(static_cast<std::uint32_t>(bits_) << 16);
  }

 private:
  /// The float below `value` in magnitude, its last bit set unless they are equal: on the same side of every tie, so
  /// that the rounding which follows is as if it were the only one.
  KOKKOS_INLINE_FUNCTION static float rounded_to_odd(double value) {
    const float nearest = static_cast<float>(value);
    if (static_cast<double>(nearest) == value) return nearest;
    std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(nearest);
    if (Kokkos::fabs(static_cast<double>(nearest)) > Kokkos::fabs(value)) --bits;
    return Kokkos::bit_cast<float>(bits | 1U);
  }

  KOKKOS_INLINE_FUNCTION static std::uint16_t nearest(float value) {
#if defined(__CUDA_ARCH__)
    std::uint16_t bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
#else
    return rounded(value, tie_breaker(value));
#endif
  }

  KOKKOS_INLINE_FUNCTION static std::uint32_t tie_breaker(float value) {
    return 0x7fffU + (Kokkos::bit_cast<std::uint32_t>(value) >> 16 & 1U);
  }

  /// Adds below the kept bits and cuts off; a carry into the exponent gives the next power of two, or infinity.
  KOKKOS_INLINE_FUNCTION static std::uint16_t rounded(float value, std::uint32_t addend) {
    std::uint32_t sum = Kokkos::bit_cast<std::uint32_t>(value) + addend;
    if (Kokkos::isnan(value)) sum = 0x7fff0000U;
#if defined(__CUDA_ARCH__)
    asm("" : "+r"(sum));  // keeps the shift behind the choice, where one instruction shifts and joins two neighbours
#endif
    return static_cast<std::uint16_t>(sum >> 16);
  }

  std::uint16_t bits_;
};

static_assert(sizeof(BFloat16) == 2, "Sward::BFloat16 must have two bytes");

}  // namespace Sward
