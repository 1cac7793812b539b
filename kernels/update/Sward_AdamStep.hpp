#pragma once

#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace Sward {

/// Adam's constants in one update.
struct AdamStep {
  double beta1;
  double beta2;
  double epsilon;
  std::int64_t count;           ///< updates of the moments, this one included: 1 in the first
  double gradient_scale = 1.0;  ///< a factor on the gradient, for clipping
};

/// numerator / (sqrt(square) + epsilon). In float on NVIDIA GPUs by approximations that take a fifth of the
/// instructions of correctly rounded ones, to a relative error of 3 * 2^-23; a square below 2^-126 there counts as
/// zero.
template <class Scalar>
KOKKOS_INLINE_FUNCTION Scalar over_root(Scalar numerator, Scalar square, Scalar epsilon) {
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<Scalar, float>) {
    float root, inverse;  // each to 2^-23, as PTX has it; a sum and a product round by half of that
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(root) : "f"(square));
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(root + epsilon));
    return numerator * inverse;
  }
#endif
  return numerator / (Kokkos::sqrt(square) + epsilon);
}

/// Adam on one element, with the bias corrections worked out once on the host.
/// Source: Kingma and Ba, "Adam", arXiv 1412.6980.
template <class Scalar>
struct AdamFormula {
  Scalar beta1, beta2, rest1, rest2, correction1, correction2, epsilon, gradient_scale;

  AdamFormula() = default;
  explicit AdamFormula(const AdamStep& step)
      : beta1(static_cast<Scalar>(step.beta1)),
        beta2(static_cast<Scalar>(step.beta2)),
        rest1(static_cast<Scalar>(1 - step.beta1)),
        rest2(static_cast<Scalar>(1 - step.beta2)),
        correction1(static_cast<Scalar>(1 / (1 - std::pow(step.beta1, static_cast<double>(step.count))))),
        correction2(static_cast<Scalar>(1 / (1 - std::pow(step.beta2, static_cast<double>(step.count))))),
        epsilon(static_cast<Scalar>(step.epsilon)),
        gradient_scale(static_cast<Scalar>(step.gradient_scale)) {}

  /// Updates both moments and returns the step m̂ / (sqrt(v̂) + ε).
  KOKKOS_INLINE_FUNCTION Scalar operator()(Scalar gradient, Scalar& first_moment, Scalar& second_moment) const {
    const Scalar scaled = gradient_scale * gradient;
    first_moment = beta1 * first_moment + rest1 * scaled;
    second_moment = beta2 * second_moment + rest2 * scaled * scaled;
    return over_root(first_moment * correction1, second_moment * correction2, epsilon);
  }
};

}  // namespace Sward
