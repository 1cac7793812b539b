#include <gtest/gtest.h>

#include <cmath>

#include "Sward_RotaryScaling.hpp"

namespace {

using Sward::RotaryScaling;
using Sward::scale_frequency;

using Kind = RotaryScaling::Kind;

/// Case by case over wavelengths, as LLaMA 3's model does.
double reference_llama3(const RotaryScaling& scaling, double frequency) {
  const auto context = static_cast<double>(scaling.original_max_position_embeddings);
  const double wavelength = 2 * M_PI / frequency;
  if (wavelength < context / scaling.high_freq_factor) return frequency;
  if (wavelength > context / scaling.low_freq_factor) return frequency / scaling.factor;
  const double smooth =
      (context / wavelength - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - smooth) * frequency / scaling.factor + smooth * frequency;
}

TEST(RotaryScaling, LeavesFrequenciesAloneWithoutAny) {
  for (const double frequency : {1.0, 0.3, 1e-6}) EXPECT_EQ(scale_frequency(RotaryScaling{}, frequency), frequency);
}

TEST(RotaryScaling, DividesAllWhenLinear) {
  for (const double frequency : {1.0, 0.3, 1e-6})
    EXPECT_EQ(scale_frequency({Kind::linear, 2.5}, frequency), frequency / 2.5);
}

TEST(RotaryScaling, DividesLowOnesAsLlama3) {
  for (const RotaryScaling& scaling :
       {RotaryScaling{Kind::llama3, 8, 1, 4, 8192}, RotaryScaling{Kind::llama3, 32, 1, 4, 8192},
        RotaryScaling{Kind::llama3, 3.5, 0.7, 9, 100}}) {
    int kept = 0;
    int divided = 0;
    int between = 0;
    for (int i = 0; i < 1000; ++i) {
      const double frequency = std::pow(500000.0, -i / 1000.0);
      const double scaled = scale_frequency(scaling, frequency);
      // A few roundings, of numbers below 1 and their inverses.
      const double tolerance = 1e-14 * frequency;
      EXPECT_NEAR(scaled, reference_llama3(scaling, frequency), tolerance) << frequency;
      if (scaled == frequency) {
        ++kept;
      } else if (std::abs(scaled - frequency / scaling.factor) < tolerance) {
        ++divided;
      } else {
        ++between;
      }
    }
    EXPECT_GT(kept, 40);
    EXPECT_GT(divided, 100);
    EXPECT_GT(between, 50);
  }
}

}  // namespace
