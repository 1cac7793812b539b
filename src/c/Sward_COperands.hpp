#pragma once

#include <Kokkos_Core.hpp>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_CInstance.hpp"
#include "Sward_Philox.hpp"
#include "Sward_Real.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward::C {

/// A matrix of the caller's.
template <class T>
using Operand = Kokkos::View<T**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
template <class T>
using OperandList = Kokkos::View<T*, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

template <class T>
constexpr sward_type type_of = std::is_same_v<T, float>    ? SWARD_FLOAT32
                               : std::is_same_v<T, double> ? SWARD_FLOAT64
                                                           : SWARD_BFLOAT16;

/// Bytes of what a matrix may have as elements; 0 for all others.
std::size_t size_of(sward_type type);
const char* name_of(sward_type type);

/// Throws std::invalid_argument unless there is such a matrix, of float, double or BFloat16.
void check_matrix(const char* function, const char* argument, const sward_matrix* matrix);
/// The same, and unless it is of one type.
void check_matrix(const char* function, const char* argument, const sward_matrix* matrix, sward_type wanted);

/// Throws std::invalid_argument unless there are `count` elements of `size` bytes; 0 may be anywhere.
void check_list(const char* function, const char* argument, const void* list, std::int64_t count, std::size_t size);

/// A matrix that was checked.
template <class T>
Operand<T> operand(const sward_matrix& matrix) {
  T* const data = static_cast<T*>(matrix.data);
  const auto rows = static_cast<std::size_t>(matrix.rows);
  const auto columns = static_cast<std::size_t>(matrix.columns);
  if (matrix.stride == matrix.columns) return {data, rows, columns};
  return Kokkos::subview(Operand<T>(data, rows, static_cast<std::size_t>(matrix.stride)), Kokkos::ALL,
                         std::pair<std::size_t, std::size_t>(0, columns));
}

template <class T>
Operand<T> operand(const char* function, const char* argument, const sward_matrix* matrix) {
  check_matrix(function, argument, matrix, type_of<T>);
  return operand<T>(*matrix);
}

Side side_of(const char* function, sward_side side);
Selection scheme_of(const char* function, sward_scheme scheme);
Draw draw_of(const char* function, const sward_draw& draw);
RowSelection<Space> selection_of(const char* function, const sward_selection* selection);

/// use(std::type_identity<T>()) of a matrix that is checked first.
template <class Use>
void with_type(const char* function, const char* argument, const sward_matrix* matrix, const Use& use) {
  check_matrix(function, argument, matrix);
  if (matrix->type == SWARD_FLOAT32) return use(std::type_identity<float>());
  if (matrix->type == SWARD_FLOAT64) return use(std::type_identity<double>());
  use(std::type_identity<BFloat16>());
}

}  // namespace Sward::C
