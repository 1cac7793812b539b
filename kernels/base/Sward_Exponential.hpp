#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

namespace Sward {

/// e^x in double precision.
KOKKOS_INLINE_FUNCTION double exponential(double x) { return Kokkos::exp(x); }

/// e^x in single precision to 2 units in the last place: infinity above 88.73, zero below -87 (where results would be
/// under 1.7e-38), NaN for NaN. On hosts it is free of branches and calls, so that loops over it vectorize; that of the
/// standard library is not.
KOKKOS_INLINE_FUNCTION float exponential(float x) {
  KOKKOS_IF_ON_DEVICE((return Kokkos::exp(x);))
  KOKKOS_IF_ON_HOST((
      // Bounds outside of which the result is 0 or infinity. They are applied to the bits, whose integer order is that
      // of the numbers of one sign: two instructions, where comparisons of floats become a tangle of masks.
      constexpr std::uint32_t lowest = 0xC2AECCCDu;  // -87.4
      constexpr std::int32_t highest = 0x42B20000;   // 89
      const std::uint32_t bits = Kokkos::bit_cast<std::uint32_t>(x);
      const std::int32_t above = static_cast<std::int32_t>(bits < lowest ? bits : lowest);
      const float bounded = Kokkos::bit_cast<float>(above < highest ? above : highest);
      // x = n ln 2 + r. Adding 1.5 * 2^23 rounds to the integer n, which then stands in the low bits; ln 2 comes in two
      // parts, of which the first has zeros enough for an exact product.
      constexpr float shift = 12582912.0f;
      const float shifted = bounded * 1.44269504f + shift; const float n = shifted - shift;
      const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
      // Twice e^r (a polynomial fitted to least relative error, near Taylor's), times 2^(n-1): so the largest n, 128,
      // needs no exponent beyond 127.
      float twice = 0.00276290649f;
      twice = twice * r + 0.0167374928f; twice = twice * r + 0.0833367854f; twice = twice * r + 0.333330423f;
      twice = twice * r + 0.999999881f; twice = twice * r + 2.0f; twice = twice * r + 2.0f;
      const std::uint32_t power = (Kokkos::bit_cast<std::uint32_t>(shifted) << 23) + (126u << 23);
      const float result = twice * Kokkos::bit_cast<float>(power); return x == x ? result : x;))
}

/// e^x where its relative error of 2^-22 + |x| 2^-24 does not show, because it is rounded to two bytes or is a small
/// term of a sum: two instructions on a GPU.
KOKKOS_INLINE_FUNCTION float rough_exponential(float x) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x * 1.44269504f));
  return result;
#else
  return exponential(x);
#endif
}

/// rough_exponential for results that are stored as T, or exponential where T keeps more.
template <class T, class Real>
KOKKOS_INLINE_FUNCTION Real exponential_to_store(Real x) {
  if constexpr (sizeof(T) < sizeof(float)) {
    return rough_exponential(x);
  } else {
    return exponential(x);
  }
}

}  // namespace Sward
