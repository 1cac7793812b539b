#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "Sward_Arena.hpp"
#include "Sward_ColumnProduct.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_MessageUpdate.hpp"
#include "Sward_MomentPair.hpp"
#include "Sward_OptimizerOptions.hpp"
#include "Sward_Rounding.hpp"
#include "Sward_StateVisitor.hpp"
#include "Sward_WeightShares.hpp"

namespace Sward {

/// What every parameter needs to know of the update under way.
struct UpdateContext {
  double learning_rate;   ///< η(step), schedule included
  double gradient_scale;  ///< the clipping factor, 1 when nothing is clipped
  Rounding rounding;      ///< of what is stored in fewer bits than it is computed with, for this parameter
};

/// A part of a matrix, as a view.
template <class View>
View subview_of(const View& matrix, const MatrixPart& part) {
  return Kokkos::subview(matrix, std::pair(part.first_row, part.first_row + part.rows),
                         std::pair(part.first_column, part.first_column + part.columns));
}

/// Where a part of a split gradient lies in it.
inline PartPlace place_of(const MatrixPart& part, const MatrixSplit& split) {
  return {static_cast<int>(part.first_row), static_cast<int>(part.first_column), static_cast<int>(split.columns)};
}

/// Optimizer state and gradient of one parameter.
///
/// The gradient lies in the message of the parameter's layer; its size is what this parameter sends in an update.
/// Weights are stored as Scalar, gradient and state as Real<Scalar>.
template <class ExecutionSpace, class Scalar>
class ParameterOptimizer {
 public:
  using Sink = GradientSink<ExecutionSpace, Scalar>;
  using Matrix = typename Sink::Matrix;
  using ConstMatrix = typename Sink::ConstMatrix;
  using GradientMatrix = typename Sink::GradientMatrix;
  using ConstGradientMatrix = typename GradientMatrix::const_type;
  using Slice = typename Sink::Slice;
  using DenseGradient = typename Sink::DenseGradient;

  virtual ~ParameterOptimizer() = default;

  /// Rows and columns of the gradient as it is stored and sent.
  virtual std::pair<std::size_t, std::size_t> gradient_extents() const = 0;
  virtual void set_gradient(GradientMatrix gradient) = 0;
  virtual GradientMatrix gradient() const = 0;
  /// The weight, with padding but for rows or columns that are never selected.
  virtual Matrix weight() const = 0;
  /// How the gradient is split over ranks; the weight is split along the same side, into the same shares.
  virtual const MatrixSplit& split() const = 0;
  /// Where this rank's parts of the weight and of the gradient's sum lie, if not in weight() and gradient().
  virtual void set_parts(const Matrix& weight_part, const GradientMatrix& gradient_part) = 0;

  /// Zeroes the state; called once before the first update, unless a checkpoint is read.
  virtual void initialize(const ExecutionSpace& space) = 0;
  /// `refresh`: rows are chosen anew, by those that choose.
  virtual void begin_update(const ExecutionSpace& space, std::int64_t step, bool refresh) = 0;
  virtual void accept_factors(const ExecutionSpace& space, ConstMatrix output_gradient, ConstMatrix input) = 0;
  /// As of the sink; by default whole factors are wanted.
  virtual Slice wanted_columns(GradientFactor /*factor*/, std::size_t /*tokens*/) { return {}; }
  /// What is to be done with columns that were wanted and have been written. It is queued before more are wanted.
  virtual ColumnProduct<ExecutionSpace, Scalar> take_columns() {
    throw std::logic_error("Sward::ParameterOptimizer::take_columns: no columns were wanted");
  }
  /// The whole gradient of the update, rows x columns, in place of all its factors.
  virtual void accept_gradient(const ExecutionSpace& space, ConstGradientMatrix gradient) = 0;
  /// As of the sink.
  virtual DenseGradient dense_gradient() = 0;
  /// At the end of a micro-batch: whether rows are to be chosen by the gradient so far, whose sum over ranks has then
  /// been started.
  virtual bool start_choice(const ExecutionSpace& /*space*/) { return false; }
  /// In that case, before the next factors: waits for the sum, chooses, and projects it.
  virtual void finish_choice(const ExecutionSpace&) {
    throw std::logic_error("Sward::ParameterOptimizer::finish_choice: no choice was started");
  }
  /// Adds what is to be done to the weight and the state to `updates`, which is launched after the last parameter.
  virtual void update(const UpdateContext& context, MessageUpdate<ExecutionSpace, Scalar>& updates) = 0;
  /// In place of update: weights and state stay as they are.
  virtual void skip_update(const ExecutionSpace& /*space*/) {}
  /// Whether the parameter has no selection that an update was made with, so that the next update has to refresh.
  virtual bool needs_refresh() const { return false; }
  /// Whether a refresh leaves nothing of the state before it.
  virtual bool forgets_at_refresh() const { return false; }
  /// What ranks share of an update of the weight, unless each does all of it.
  virtual std::optional<WeightShares<ExecutionSpace, Matrix>> weight_shares() const { return {}; }
  /// Elements given to collectives in a refresh besides the layer's message.
  virtual std::size_t refresh_elements() const = 0;
  virtual void visit_state(StateVisitor<ExecutionSpace, Real<Scalar>>& visitor) = 0;
};

}  // namespace Sward
