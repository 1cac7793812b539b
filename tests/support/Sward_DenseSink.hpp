#pragma once

#include <cmath>
#include <vector>

#include "Sward_GradientSink.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_ParameterList.hpp"

namespace Sward::Test {

/// Keeps the whole gradient of every parameter.
template <class Scalar>
class DenseSink : public GradientSink<Kokkos::DefaultExecutionSpace, Scalar> {
 public:
  using Space = Kokkos::DefaultExecutionSpace;
  using typename GradientSink<Space, Scalar>::ConstMatrix;
  using typename GradientSink<Space, Scalar>::DenseGradient;

  DenseSink(const Space& space, const std::vector<ParameterInfo>& parameters)
      : space_(space), completions(parameters.size(), 0) {
    for (const ParameterInfo& parameter : parameters)
      gradients.emplace_back("gradient", parameter.rows, parameter.columns);
  }
  void accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) override {
    matrix_product(space_, Transpose::yes, Transpose::no, 1, output_gradient, input, 1,
                   gradients[static_cast<std::size_t>(parameter)]);
  }
  DenseGradient dense_gradient(int parameter) override {
    return {gradients[static_cast<std::size_t>(parameter)], true};
  }
  void complete(int parameter) override { ++completions[static_cast<std::size_t>(parameter)]; }

 private:
  Space space_;

 public:
  std::vector<Kokkos::View<Real<Scalar>**, Kokkos::LayoutRight, Space>> gradients;
  std::vector<int> completions;
};

/// Norm of the difference between a gradient and its reference, over the reference's norm.
template <class Gradient>
double relative_error(const Gradient& gradient, const std::vector<float>& reference) {
  double error = 0.0;
  double norm = 0.0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    error += std::pow(static_cast<double>(gradient.data()[i]) - static_cast<double>(reference[i]), 2);
    norm += std::pow(static_cast<double>(reference[i]), 2);
  }
  return std::sqrt(error / norm);
}

}  // namespace Sward::Test
