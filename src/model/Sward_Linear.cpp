#include "Sward_Linear.hpp"

#include <type_traits>
#include <utility>

#include "Sward_Float8Product.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_QuantizeTransposed.hpp"

namespace Sward {

namespace {

template <class Scalar>
constexpr bool has_float8_products = std::is_same_v<Scalar, BFloat16>;

/// The first rows x columns codes and scales of these vectors as a matrix.
template <class Codes, class Scale>
auto float8_matrix(const Codes& codes, const Scale& scale, std::size_t rows, std::size_t columns) {
  using Matrix = Kokkos::View<Float8**, Kokkos::LayoutRight, typename Codes::execution_space,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  require(rows * columns <= codes.extent(0) && rows <= scale.extent(0), "Sward::Linear",
          "the workspace has no room for an operand of " + extents_text({rows, columns}));
  return Float8Matrix<Matrix, Scale>{Matrix(codes.data(), rows, columns), Scale(scale.data(), rows)};
}

}  // namespace

template <class ExecutionSpace, class Scalar>
Linear<ExecutionSpace, Scalar>::Linear(const Matrix& weight, const Scale& scale, const Workspace& workspace)
    : weight_(weight), scale_(scale) {
  require(has_float8_products<Scalar>, "Sward::Linear", "products in 8 bits are of bfloat16");
  if (weight.extent(0) % float8_extent == 0 && weight.extent(1) % float8_extent == 0) workspace_ = workspace;
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::multiply(const ExecutionSpace& space, const Matrix& input, int beta,
                                              const Matrix& residual, const Matrix& output) const {
  if constexpr (has_float8_products<Scalar>) {
    if (workspace_) {
      const auto x = float8_matrix(workspace_->factor, workspace_->factor_scale, input.extent(0), input.extent(1));
      const auto w = float8_matrix(workspace_->weight, scale_, weight_.extent(0), weight_.extent(1));
      quantize_rows(space, input, x);
      quantize_rows(space, weight_, w);
      return float8_product(space, x, w, static_cast<float>(beta), residual, output);
    }
  }
  matrix_product(space, Transpose::no, Transpose::yes, 1, input, weight_, static_cast<Real<Scalar>>(beta), residual,
                 output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space, const Matrix& input,
                                             const Matrix& output) const {
  multiply(space, input, 0, output, output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space, const Matrix& residual, const Matrix& input,
                                             const Matrix& output) const {
  multiply(space, input, 1, residual, output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::input_gradient(const ExecutionSpace& space, const Matrix& output_gradient,
                                                    const Matrix& gradient) const {
  if constexpr (has_float8_products<Scalar>) {
    if (workspace_) {
      const std::size_t outputs = weight_.extent(0);
      const std::size_t inputs = weight_.extent(1);
      const auto dy = float8_matrix(workspace_->factor, workspace_->factor_scale, output_gradient.extent(0), outputs);
      const auto transpose = float8_matrix(workspace_->weight, workspace_->ones, inputs, outputs);
      quantize_rows(space, output_gradient, scale_, dy);
      quantize_transposed(space, weight_, scale_, transpose.codes);
      return float8_product(space, dy, transpose, 0.0F, gradient, gradient);
    }
  }
  matrix_product(space, Transpose::no, Transpose::no, 1, output_gradient, weight_, 0, gradient);
}

template class Linear<Kokkos::DefaultExecutionSpace, float>;
#ifndef KOKKOS_ENABLE_CUDA  // references in tests run on hosts
template class Linear<Kokkos::DefaultExecutionSpace, double>;
#endif
template class Linear<Kokkos::DefaultExecutionSpace, BFloat16>;

}  // namespace Sward
