#pragma once

#include <cmath>

#include "Sward_AdamStep.hpp"

namespace Sward::Test {

/// Adam on one element as the paper states it, in double: updates both moments and returns the step.
inline double reference_adam(const AdamStep& step, double gradient, double& first_moment, double& second_moment) {
  const double g = step.gradient_scale * gradient;
  first_moment = step.beta1 * first_moment + (1 - step.beta1) * g;
  second_moment = step.beta2 * second_moment + (1 - step.beta2) * g * g;
  const auto count = static_cast<double>(step.count);
  const double mean = first_moment / (1 - std::pow(step.beta1, count));
  const double mean_square = second_moment / (1 - std::pow(step.beta2, count));
  return mean / (std::sqrt(mean_square) + step.epsilon);
}

}  // namespace Sward::Test
