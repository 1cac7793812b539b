#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_Check.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// A matrix in 8 bits whose rows have a scale each: element (i, j) is codes(i, j) * scale(i). A view as the two that it
/// is made of.
template <class Codes, class Scale>
struct Float8Matrix {
  Codes codes;
  Scale scale;

  /// Of the codes.
  KOKKOS_INLINE_FUNCTION std::size_t extent(std::size_t dimension) const { return codes.extent(dimension); }

  /// Exact in double.
  KOKKOS_INLINE_FUNCTION double operator()(int row, int column) const {
    return static_cast<double>(static_cast<float>(codes(row, column))) * static_cast<double>(scale(row));
  }
};

/// Throws ExtentError unless the matrix has these extents and a scale for each row.
template <class ExecutionSpace, class Codes, class Scale>
void require_float8_matrix(const char* function, const char* argument, const Float8Matrix<Codes, Scale>& matrix,
                           std::size_t rows, std::size_t columns) {
  static_assert(are_operands<ExecutionSpace, Codes, Scale>());
  static_assert(std::is_same_v<typename Codes::non_const_value_type, Float8> &&
                    std::is_same_v<typename Scale::non_const_value_type, float>,
                "Sward::Float8Matrix: codes must be of Float8, scales of float");
  static_assert(Codes::rank() == 2 && Scale::rank() == 1, "Sward::Float8Matrix: codes in a matrix, scales in a vector");
  require_extents(function, argument, {matrix.extent(0), matrix.extent(1)}, {rows, columns});
  require_extents(function, "scale", {matrix.scale.extent(0)}, {rows});
}

}  // namespace Sward
