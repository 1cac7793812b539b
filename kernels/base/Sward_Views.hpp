#pragma once

#include <Kokkos_Core.hpp>

namespace Sward {

/// A row-major matrix in the memory of an execution space; the layout that Sward itself uses everywhere.
template <class Scalar, class ExecutionSpace>
using Matrix = Kokkos::View<Scalar**, Kokkos::LayoutRight, ExecutionSpace>;

/// A contiguous vector in the memory of an execution space.
template <class Scalar, class ExecutionSpace>
using Vector = Kokkos::View<Scalar*, Kokkos::LayoutRight, ExecutionSpace>;

}  // namespace Sward
