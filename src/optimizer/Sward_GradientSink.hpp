#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <span>
#include <stdexcept>

#include "Sward_ColumnSlice.hpp"
#include "Sward_Real.hpp"

namespace Sward {

/// The factors of a weight gradient G = dYᵀX: dY and X.
enum class GradientFactor { output_gradient, input };

/// Where the model's backward pass delivers its gradients. Parameters are numbered as in `list_parameters`. Weights and
/// factors are stored as Scalar, gradients as Real<Scalar>.
///
/// An intermediate size that is padded has the padding in factors and dense gradients too, zeros all.
/// For each micro-batch the model calls, for every parameter, `accept_factors` (matrices, once or in several pieces of
/// the tokens), or `accept_columns` where it wrote the columns that the sink wants of one factor, or writes
/// `dense_gradient` (embedding and norms), and then `complete`. Layers complete from the output head down to the
/// embedding, so that a sink can send what is finished while the pass goes on.
template <class ExecutionSpace, class Scalar>
class GradientSink {
 public:
  using ConstMatrix =
      Kokkos::View<const Scalar**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Matrix = Kokkos::View<Scalar**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  using GradientMatrix =
      Kokkos::View<Real<Scalar>**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  using Slice = ColumnSlice<ExecutionSpace, Scalar>;

  /// Memory for the gradient of a parameter, rows x columns as it.
  struct DenseGradient {
    GradientMatrix matrix;
    bool has_parts;  ///< whether there are parts of it, to which is added; else it is overwritten, whatever it holds
  };

  /// Slices that may be wanted and not yet accepted at a time.
  static constexpr std::size_t most_slices = 3;

  virtual ~GradientSink() = default;

  /// The columns of a factor, of `tokens` rows, that the sink would gather from it in this micro-batch; empty if it
  /// takes the whole factor. Asked for by whoever is about to make the factor, and then has to write the slice (unless
  /// empty) and to hand it over by accept_columns: its memory is the model's until then.
  virtual Slice wanted_columns(int /*parameter*/, GradientFactor /*factor*/, std::size_t /*tokens*/) { return {}; }

  /// As accept_factors of each, for factors of which slices were wanted and have been written; `other` is the other
  /// factor, which these parameters share. One product may serve parameters that stand in a row.
  virtual void accept_columns(std::span<const int> /*parameters*/, ConstMatrix /*other*/) {
    throw std::logic_error("Sward::GradientSink::accept_columns: no columns were wanted");
  }

  /// Factors of the weight gradient G += dYᵀX: dY is tokens x outputs, X is tokens x inputs. Both may be overwritten
  /// as soon as the work queued on the sink's instance is done, which is the instance the model runs on.
  virtual void accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) = 0;

  /// For parameters whose gradient is no product; the model adds or writes the whole of it.
  virtual DenseGradient dense_gradient(int parameter) = 0;

  /// This micro-batch brings nothing more for the parameter.
  virtual void complete(int parameter) = 0;
};

}  // namespace Sward
