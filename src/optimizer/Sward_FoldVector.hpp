#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

namespace Sward {

/// A contiguous vector as rows, which several threads share.
template <class Vector>
auto fold_vector(const Vector& vector) {
  using Matrix = Kokkos::View<typename Vector::value_type**, Kokkos::LayoutRight, typename Vector::execution_space,
                              Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  std::size_t columns = 4096;
  while (vector.extent(0) % columns != 0) columns /= 2;
  return Matrix(vector.data(), vector.extent(0) / columns, columns);
}

}  // namespace Sward
