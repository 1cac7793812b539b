#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "Sward_GradientSink.hpp"
#include "Sward_OptimizerOptions.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// A matrix of the caller's, m outputs x n inputs, that GrassOptimizer trains; a vector is one of a single row. Its
/// name is for messages and for the state. Rows may lie further apart than they are long.
template <class Scalar>
struct TrainedMatrix {
  using View = typename GradientSink<Kokkos::DefaultExecutionSpace, Scalar>::Matrix;

  std::string name;
  View weight;               ///< stays the caller's, and has to stay where it is
  bool is_projected = true;  ///< false: AdamW in full
  bool decays = true;        ///< whether weight decay acts on it
  /// Gradients of the same message are summed over ranks together, as soon as all have come. Matrices of a message
  /// follow each other.
  int message = 0;
};

/// Constants of both methods, as in docs/configuration.md.
struct GrassOptimizerOptions {
  GrassConstants grass;
  AdamConstants adam;
  double clip = 0.0;                ///< bound on the norm of all gradients together; 0: off, and updates never wait
  bool stochastic_rounding = true;  ///< of weights in BFloat16
  std::uint64_t seed = 0;           ///< of that rounding
  bool bfloat16_messages = false;   ///< gradients are rounded before they are summed over ranks
};

/// One array of an optimizer's state: memory that may be read and written between two updates.
struct StateArray {
  /// Of the elements.
  enum class Type { int32, int64, float32, float64, bfloat16, uint8 };

  std::string name;  ///< the matrix's and the array's, as in "w1/first_moment"
  Type type;
  void* data;  ///< where the optimizer works, or on the host
  bool on_host;
  std::size_t rows;
  std::size_t columns;
  std::size_t stride;  ///< elements from one row to the next
};

/// Grass, or AdamW in full, on matrices of any code: on one rank or on several.
///
///     optimizer.begin_update(space, learning_rate);
///     for each matrix:  optimizer.accept_factors(number, dY, X);    // G = dYᵀX, or accept_gradient(number, G)
///     optimizer.update();
///
/// Everything is asynchronous on the instance given to begin_update, unless `clip` is set: the norm is then waited for.
/// Nothing is allocated after construction. Matrices have the numbers of the list, from 0. Instantiated for float and
/// BFloat16, on hosts for double too; moments and gradients are in Real<Scalar>, moments in fewer bits by `adam.state`.
/// One thread at a time; several optimizers on as many instances do not disturb each other.
template <class Scalar>
class GrassOptimizer {
 public:
  using Space = Kokkos::DefaultExecutionSpace;
  using ConstMatrix = typename GradientSink<Space, Scalar>::ConstMatrix;
  using ConstGradient = typename GradientSink<Space, Scalar>::GradientMatrix::const_type;

  /// `tokens`: the most rows of dY and X that one accept_factors brings. Without a group there is one rank; else it has
  /// to outlive the optimizer. Throws std::invalid_argument for options or matrices that make no sense, with the name.
  GrassOptimizer(const Space& space, const std::vector<TrainedMatrix<Scalar>>& matrices, std::size_t tokens,
                 const GrassOptimizerOptions& options, ProcessGroup* group = nullptr);
  ~GrassOptimizer();
  GrassOptimizer(const GrassOptimizer&) = delete;
  GrassOptimizer& operator=(const GrassOptimizer&) = delete;
  GrassOptimizer(GrassOptimizer&&) noexcept;
  GrassOptimizer& operator=(GrassOptimizer&&) noexcept;

  /// `passes`: so many accept_factors come for each matrix. An update that was begun but not made leaves weights as
  /// they are and no trace in this one, which makes up for its refresh.
  void begin_update(const Space& space, double learning_rate, int passes = 1);
  /// The factors dY (tokens x outputs) and X (tokens x inputs) of one pass; both may be overwritten behind what is
  /// queued. The sum over passes and ranks counts, so that a mean is the caller's to take.
  void accept_factors(int matrix, const ConstMatrix& output_gradient, const ConstMatrix& input);
  /// The gradient of all passes together, m x n, in place of factors.
  void accept_gradient(int matrix, const ConstGradient& gradient);
  /// Behind the last gradient: applies them.
  void update();

  /// Instead of `update`, or before it: the norm of all gradients after the sum over ranks (of projected matrices that
  /// of the selected rows or columns), and the first matrix whose gradient is not finite. Waits.
  GradientNorm gradient_norm();

  std::int64_t updates() const;  ///< made so far
  /// The state as plain arrays, in an order that is always the same. Written back into an optimizer that was made
  /// alike, they let it go on to the same bits. To be read behind an update that was made.
  std::vector<StateArray> state();
  /// After a state was written: throws std::runtime_error with the array's name where rows that are selected do not
  /// exist. Waits.
  void check_state();

  std::size_t memory_bytes() const;               ///< of state, gradients and workspace
  std::size_t message_bytes(bool refresh) const;  ///< that a rank gives to sums, in a regular update or a refresh
  /// Which rows or columns of a projected matrix are selected, and how many there are to select from.
  const RowSelection<Space>& selection(int matrix) const;

 private:
  /// What others need not see, so that they compile quickly.
  struct Parts;

  std::unique_ptr<Parts> parts_;
};

}  // namespace Sward
