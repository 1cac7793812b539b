#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

// Random123 marks its functions for devices with nvcc alone, and declares one of those without the mark for SSE.
#if defined(KOKKOS_ENABLE_HIP) && !defined(R123_CUDA_DEVICE)
#define R123_CUDA_DEVICE KOKKOS_FUNCTION
#define R123_USE_SSE 0
#endif
#include <Random123/philox.h>

namespace Sward {

/// Names a stream of random numbers: every number depends on these three and its index in the stream alone, so it is
/// the same on any backend, for any number of threads and on any number of ranks.
struct Draw {
  std::uint64_t seed;
  std::uint64_t step;    ///< below 2^48
  std::uint32_t matrix;  ///< number of the parameter that the numbers are for
};

/// The step of draws that come before training, such as the initial weights.
inline constexpr std::uint64_t before_the_first_step = (std::uint64_t(1) << 48) - 1;

/// Two independent words of 64 random bits.
struct RandomBits {
  std::uint64_t first;
  std::uint64_t second;
};

/// Number `index` (below 2^48) of a stream: Philox 4x32 with ten rounds.
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; Random123.
KOKKOS_INLINE_FUNCTION RandomBits random_bits(const Draw& draw, std::uint64_t index) {
  const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
  const auto high = [](std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); };
  const r123::Philox4x32::ctr_type counter = {
      {low(index), high(index) | (high(draw.step) << 16), low(draw.step), draw.matrix}};
  const r123::Philox4x32::key_type key = {{low(draw.seed), high(draw.seed)}};
  const r123::Philox4x32::ctr_type words = r123::Philox4x32()(counter, key);
  return {(std::uint64_t(words[1]) << 32) | words[0], (std::uint64_t(words[3]) << 32) | words[2]};
}

/// The middle of one of 2^52 equal parts of (0, 1), which a double holds exactly: never 0, never 1.
KOKKOS_INLINE_FUNCTION double to_open_unit(std::uint64_t bits) {
  return (static_cast<double>(bits >> 12) + 0.5) * 0x1p-52;
}

/// Uniform in (0, 1).
KOKKOS_INLINE_FUNCTION double uniform_open(const Draw& draw, std::uint64_t index) {
  return to_open_unit(random_bits(draw, index).first);
}

/// Standard normal, by the method of Box and Muller.
KOKKOS_INLINE_FUNCTION double normal(const Draw& draw, std::uint64_t index) {
  constexpr double full_turn = 6.283185307179586;
  const RandomBits bits = random_bits(draw, index);
  return Kokkos::sqrt(-2.0 * Kokkos::log(to_open_unit(bits.first))) *
         Kokkos::cos(full_turn * to_open_unit(bits.second));
}

}  // namespace Sward
