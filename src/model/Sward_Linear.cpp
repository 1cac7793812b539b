#include "Sward_Linear.hpp"

#include <type_traits>
#include <utility>

#include "Sward_Float8Product.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_TransposeCodes.hpp"

namespace Sward {

namespace {

/// The first rows x columns codes and scales of these vectors as a matrix.
template <class Matrix, class Codes, class Scale>
Matrix float8_matrix(const Codes& codes, const Scale& scale, std::size_t rows, std::size_t columns) {
  require(rows * columns <= codes.extent(0) && rows <= scale.extent(0), "Sward::Linear",
          "the workspace has no room for an operand of " + extents_text({rows, columns}));
  return {{codes.data(), rows, columns}, Scale(scale.data(), rows)};
}

}  // namespace

template <class ExecutionSpace, class Scalar>
Linear<ExecutionSpace, Scalar>::Linear(const Matrix& weight, const Scale& scale,
                                       const typename Workspace::template Vector<Float8>& kept_codes,
                                       const Workspace& workspace)
    : weight_(weight), scale_(scale), kept_codes_(kept_codes) {
  require(has_codes, "Sward::Linear", "products in 8 bits are of bfloat16");
  if (weight.extent(0) % float8_extent == 0 && weight.extent(1) % float8_extent == 0) workspace_ = workspace;
}

template <class ExecutionSpace, class Scalar>
auto Linear<ExecutionSpace, Scalar>::codes_of_input(std::size_t tokens) const -> Codes {
  return float8_matrix<Codes>(workspace_->factor, workspace_->factor_scale, tokens, weight_.extent(1));
}

template <class ExecutionSpace, class Scalar>
auto Linear<ExecutionSpace, Scalar>::codes_of_gradient(std::size_t tokens) const -> Codes {
  return float8_matrix<Codes>(workspace_->factor, workspace_->factor_scale, tokens, weight_.extent(0));
}

template <class ExecutionSpace, class Scalar>
auto Linear<ExecutionSpace, Scalar>::codes_of_weight() const -> Codes {
  const auto& codes = kept_codes_.extent(0) > 0 ? kept_codes_ : workspace_->weight;
  return float8_matrix<Codes>(codes, scale_, weight_.extent(0), weight_.extent(1));
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::multiply(const ExecutionSpace& space, const Codes& input, int beta,
                                              const Matrix& residual, const Matrix& output) const {
  if constexpr (has_codes) {
    const Codes w = codes_of_weight();
    quantize_rows(space, weight_, w);
    float8_product(space, input, w, static_cast<float>(beta), residual, output);
  }
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space, const Codes& input,
                                             const Matrix& output) const {
  multiply(space, input, 0, output, output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space, const Matrix& residual, const Codes& input,
                                             const Matrix& output) const {
  multiply(space, input, 1, residual, output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::input_gradient(const ExecutionSpace& space, const Codes& output_gradient,
                                                    const Matrix& gradient) const {
  if constexpr (has_codes) {
    const Codes w = codes_of_weight();
    if (kept_codes_.extent(0) == 0) quantize_rows(space, weight_, w);
    const auto transpose =
        float8_matrix<Codes>(workspace_->transpose, workspace_->ones, weight_.extent(1), weight_.extent(0));
    transpose_codes(space, w.codes, transpose.codes);
    float8_product(space, output_gradient, transpose, 0.0F, gradient, gradient);
  }
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space, const Matrix& input,
                                             const Matrix& output) const {
  if constexpr (has_codes) {
    if (is_float8()) {
      const Codes codes = codes_of_input(input.extent(0));
      quantize_rows(space, input, codes);
      return forward(space, codes, output);
    }
  }
  matrix_product(space, Transpose::no, Transpose::yes, 1, input, weight_, 0, output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space, const Matrix& residual, const Matrix& input,
                                             const Matrix& output) const {
  if constexpr (has_codes) {
    if (is_float8()) {
      const Codes codes = codes_of_input(input.extent(0));
      quantize_rows(space, input, codes);
      return forward(space, residual, codes, output);
    }
  }
  matrix_product(space, Transpose::no, Transpose::yes, 1, input, weight_, 1, residual, output);
}

template <class ExecutionSpace, class Scalar>
void Linear<ExecutionSpace, Scalar>::input_gradient(const ExecutionSpace& space, const Matrix& output_gradient,
                                                    const Matrix& gradient) const {
  if constexpr (has_codes) {
    if (is_float8()) {
      const Codes codes = codes_of_gradient(output_gradient.extent(0));
      quantize_rows(space, output_gradient, scale_, codes);
      return input_gradient(space, codes, gradient);
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
