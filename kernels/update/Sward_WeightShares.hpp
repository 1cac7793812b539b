#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_Operands.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// What ranks share of an m x n matrix: selected rows, cut into shares of `share` columns, or selected columns, cut
/// into shares of rows; or all rows or columns. The last ranks may have less, or nothing.
///
/// A share as it is sent, for r selected rows (columns), is r x share (share x r) elements, row-major, whatever the
/// rank has of it.
template <class ExecutionSpace, class Matrix>
struct WeightShares {
  static_assert(are_inputs<ExecutionSpace, Matrix>());
  static_assert(Matrix::rank() == 2, "Sward::WeightShares: what is shared must be a matrix");
  using Numbers = typename RowSelection<ExecutionSpace>::template List<int>;

  Matrix matrix;
  Side side = Side::columns;  ///< that the numbers are of
  bool takes_all = true;      ///< every row (column); there are no numbers then
  Numbers numbers;            ///< ascending; one may stand in several neighbouring slots
  int share = 0;              ///< columns (rows) a rank

  /// Rows and columns of a share as it is sent.
  KOKKOS_INLINE_FUNCTION int piece_rows() const { return side == Side::rows ? slots() : share; }
  KOKKOS_INLINE_FUNCTION int piece_columns() const { return side == Side::rows ? share : slots(); }
  std::size_t piece_size() const {
    return static_cast<std::size_t>(piece_rows()) * static_cast<std::size_t>(piece_columns());
  }

  /// The part of a share that a rank has.
  KOKKOS_INLINE_FUNCTION int owned_rows(int rank) const { return side == Side::rows ? slots() : owned(rank); }
  KOKKOS_INLINE_FUNCTION int owned_columns(int rank) const { return side == Side::rows ? owned(rank) : slots(); }

  /// The row and the column of the matrix that element (i, j) of a rank's share is from.
  KOKKOS_INLINE_FUNCTION int matrix_row(int rank, int i) const {
    return side == Side::rows ? number(i) : rank * share + i;
  }
  KOKKOS_INLINE_FUNCTION int matrix_column(int rank, int j) const {
    return side == Side::rows ? rank * share + j : number(j);
  }

  /// Whether element (i, j) of a share is that of the slot before once more.
  KOKKOS_INLINE_FUNCTION bool repeats(int i, int j) const {
    const int slot = side == Side::rows ? i : j;
    return !takes_all && slot > 0 && numbers(slot - 1) == numbers(slot);
  }

 private:
  KOKKOS_INLINE_FUNCTION int number(int slot) const { return takes_all ? slot : numbers(slot); }
  KOKKOS_INLINE_FUNCTION int extent_along(Side along) const {
    return static_cast<int>(matrix.extent(along == Side::rows ? 0 : 1));
  }
  KOKKOS_INLINE_FUNCTION int slots() const {
    return takes_all ? extent_along(side) : static_cast<int>(numbers.extent(0));
  }
  KOKKOS_INLINE_FUNCTION int owned(int rank) const {
    const int left = extent_along(side == Side::rows ? Side::columns : Side::rows) - rank * share;
    return left < 0 ? 0 : left < share ? left : share;
  }
};

}  // namespace Sward
