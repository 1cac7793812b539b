#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Real.hpp"

namespace Sward {

/// Where the model's backward pass delivers its gradients. Parameters are numbered as in `list_parameters`. Weights and
/// factors are stored as Scalar, gradients as Real<Scalar>.
///
/// An intermediate size that is padded has the padding in factors and dense gradients too, zeros all.
/// For each micro-batch the model calls, for every parameter, `accept_factors` (matrices, once or in several pieces of
/// the tokens) or adds into `dense_gradient` (embedding and norms), and then `complete`. Layers complete from the
/// output head down to the embedding, so that a sink can send what is finished while the pass goes on.
template <class ExecutionSpace, class Scalar>
class GradientSink {
 public:
  using ConstMatrix =
      Kokkos::View<const Scalar**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Matrix = Kokkos::View<Scalar**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  using GradientMatrix =
      Kokkos::View<Real<Scalar>**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  virtual ~GradientSink() = default;

  /// Factors of the weight gradient G += dYᵀX: dY is tokens x outputs, X is tokens x inputs. Both may be overwritten
  /// as soon as the work queued on the sink's instance is done, which is the instance the model runs on.
  virtual void accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) = 0;

  /// The gradient to add into, rows x columns as the parameter; for parameters whose gradient is no product.
  virtual GradientMatrix dense_gradient(int parameter) = 0;

  /// This micro-batch brings nothing more for the parameter.
  virtual void complete(int parameter) = 0;
};

}  // namespace Sward
