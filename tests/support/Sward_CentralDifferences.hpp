#pragma once

#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstddef>
#include <vector>

#include "Sward_RandomViews.hpp"

namespace Sward::Test {

/// sum of output * weights over all elements, on the host: a scalar that depends on every element of an output.
template <class Output, class Weights>
double weighted_sum(const Output& output, const Weights& weights) {
  const auto values = to_host(output);
  const auto factors = to_host(weights);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    sum += static_cast<double>(values.data()[i]) * static_cast<double>(factors.data()[i]);
  return sum;
}

/// The gradient of loss() with respect to every element of a contiguous view in double, from (f(x+h) - f(x-h)) / 2h.
/// With h = 1e-4 and values near 1 both the truncation (h^2) and the rounding (1e-16 / h) stay near 1e-8 or below.
template <class View, class Loss>
auto central_differences(const View& view, const Loss& loss, double h = 1e-4) {
  const auto point = to_host(view);
  const auto moved = to_host(view);
  auto gradient = to_host(view);
  const auto loss_at = [&](std::size_t i, double value) {
    moved.data()[i] = value;
    Kokkos::deep_copy(view, moved);
    return loss();
  };
  for (std::size_t i = 0; i < point.size(); ++i) {
    const double x = point.data()[i];
    gradient.data()[i] = (loss_at(i, x + h) - loss_at(i, x - h)) / (2 * h);
    moved.data()[i] = x;
  }
  Kokkos::deep_copy(view, point);
  return gradient;
}

}  // namespace Sward::Test
