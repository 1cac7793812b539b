#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

#include "Sward_Arena.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Float8Matrix.hpp"

namespace Sward {

/// Memory that the linears of a model share while they multiply in 8 bits.
template <class ExecutionSpace>
struct Float8Workspace {
  template <class T>
  using Vector = typename Arena<ExecutionSpace>::template VectorView<T>;

  Vector<Float8> factor;       ///< the input, or the gradient of the output
  Vector<float> factor_scale;  ///< one a token
  Vector<Float8> weight;       ///< the weight, of linears that do not keep its codes
  Vector<Float8> transpose;    ///< of the weight, for gradients
  Vector<float> ones;          ///< the scales of a transpose, filled by the owner
};

/// A linear layer Y = X Wᵀ: X is tokens x inputs, W outputs x inputs, Y tokens x outputs. Asynchronous on `space`.
///
/// Products are taken of what is stored, or in 8 bits: X, W and dY are rounded each time they are used, with a scale of
/// each row. In dX = dY W the scales of W's rows lie along the sum, so dY takes them; they are kept from the forward
/// pass, and the codes of W too where there is memory for them. Layers whose W is not a multiple of 16 in both extents
/// stay with what is stored.
///
/// Who makes X or dY may write its codes as well, into codes_of_input or codes_of_gradient, and multiply them next: all
/// linears of a model share that memory.
template <class ExecutionSpace, class Scalar>
class Linear {
 public:
  using Matrix = typename Arena<ExecutionSpace>::template MatrixView<Scalar>;
  using Workspace = Float8Workspace<ExecutionSpace>;
  using Scale = typename Workspace::template Vector<float>;
  using Codes = Float8Matrix<typename Arena<ExecutionSpace>::template MatrixView<Float8>, Scale>;

  explicit Linear(const Matrix& weight) : weight_(weight) {}
  /// In 8 bits, where that can be; `scale` has a place for each output, `kept_codes` for each element of W, or is
  /// empty. Only for BFloat16.
  Linear(const Matrix& weight, const Scale& scale, const typename Workspace::template Vector<Float8>& kept_codes,
         const Workspace& workspace);

  /// Whether products are taken in 8 bits.
  bool is_float8() const { return workspace_.has_value(); }
  const Matrix& weight() const { return weight_; }

  /// Y = X Wᵀ.
  void forward(const ExecutionSpace& space, const Matrix& input, const Matrix& output) const;
  /// Y = R + X Wᵀ.
  void forward(const ExecutionSpace& space, const Matrix& residual, const Matrix& input, const Matrix& output) const;
  /// dX = dY W, after the forward pass with the same W.
  void input_gradient(const ExecutionSpace& space, const Matrix& output_gradient, const Matrix& gradient) const;

  /// Whether there is what follows, which is only for products in 8 bits.
  static constexpr bool has_codes = std::is_same_v<Scalar, BFloat16>;
  /// Of X, tokens x inputs.
  Codes codes_of_input(std::size_t tokens) const;
  /// Of dY diag(weight_scale()), tokens x outputs.
  Codes codes_of_gradient(std::size_t tokens) const;
  /// Of W's rows, from the forward pass.
  const Scale& weight_scale() const { return scale_; }
  void forward(const ExecutionSpace& space, const Codes& input, const Matrix& output) const;
  void forward(const ExecutionSpace& space, const Matrix& residual, const Codes& input, const Matrix& output) const;
  void input_gradient(const ExecutionSpace& space, const Codes& output_gradient, const Matrix& gradient) const;

 private:
  void multiply(const ExecutionSpace& space, const Codes& input, int beta, const Matrix& residual,
                const Matrix& output) const;
  /// With scale_.
  Codes codes_of_weight() const;

  Matrix weight_;
  Scale scale_;
  typename Workspace::template Vector<Float8> kept_codes_;
  std::optional<Workspace> workspace_;  ///< only of products in 8 bits
};

}  // namespace Sward
