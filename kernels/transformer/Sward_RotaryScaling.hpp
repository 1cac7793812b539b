#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

namespace Sward {

/// How the frequencies of rotary embeddings are lowered to reach longer contexts.
struct RotaryScaling {
  /// As `rope_type` of Hugging Face's config.json.
  enum class Kind {
    none,
    linear,  ///< all divided by `factor`
    llama3   ///< low ones divided by `factor`, high ones kept, with a ramp in between
  };

  Kind kind = Kind::none;
  double factor = 1;
  /// A frequency is low when it makes fewer turns than this over the original context, ...
  double low_freq_factor = 1;
  /// ... and high when it makes more than this.
  double high_freq_factor = 4;
  std::int64_t original_max_position_embeddings = 8192;

  bool operator==(const RotaryScaling&) const = default;
};

/// The scaled frequency, in radians a position.
/// Sources: Chen et al., "Extending Context Window of Large Language Models via Positional Interpolation", arXiv
/// 2306.15595, for linear; Grattafiori et al., "The Llama 3 Herd of Models", arXiv 2407.21783, for llama3.
KOKKOS_INLINE_FUNCTION double scale_frequency(const RotaryScaling& scaling, double frequency) {
  if (scaling.kind == RotaryScaling::Kind::none) return frequency;
  if (scaling.kind == RotaryScaling::Kind::linear) return frequency / scaling.factor;
  constexpr double full_turn = 2 * Kokkos::numbers::pi;
  const double turns = static_cast<double>(scaling.original_max_position_embeddings) * frequency / full_turn;
  const double ramp = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  const double kept = Kokkos::fmin(Kokkos::fmax(ramp, 0.0), 1.0);
  return frequency * (kept + (1 - kept) / scaling.factor);
}

}  // namespace Sward
