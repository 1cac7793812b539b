#pragma once

#include <algorithm>
#include <cstddef>

#include "Sward_RowSelection.hpp"

namespace Sward {

/// This rank among those that share the optimizer's states, and the weights if it says so; by default it has all.
struct Shard {
  int rank = 0;
  int ranks = 1;
  bool of_weights = false;

  bool shares_weights() const { return of_weights && ranks > 1; }
};

/// Rows and columns of one rank.
struct MatrixPart {
  std::size_t first_row = 0;
  std::size_t first_column = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;

  bool is_empty() const { return rows == 0 || columns == 0; }
};

/// How a matrix is split over ranks: along its rows or its columns, into shares that are equal but for the last ranks',
/// who have less, or nothing.
struct MatrixSplit {
  std::size_t rows = 0;
  std::size_t columns = 0;
  Side along = Side::rows;
  std::size_t share = 0;  ///< rows (columns) a rank; 0: every rank has the whole matrix

  bool is_split() const { return share > 0; }

  /// A rank's rows and columns; the whole matrix where it is not split.
  MatrixPart part(int rank) const {
    if (!is_split()) return {0, 0, rows, columns};
    const std::size_t extent = along == Side::rows ? rows : columns;
    const std::size_t first = std::min(extent, static_cast<std::size_t>(rank) * share);
    const std::size_t count = std::min(share, extent - first);
    return along == Side::rows ? MatrixPart{first, 0, count, columns} : MatrixPart{0, first, rows, count};
  }

  /// Calls function(first element in the whole, first element in the part, count) for each row of a rank's part; both
  /// are row-major.
  template <class Function>
  void for_each_row(int rank, const Function& function) const {
    const MatrixPart own = part(rank);
    for (std::size_t i = 0; i < own.rows; ++i)
      function((own.first_row + i) * columns + own.first_column, i * own.columns, own.columns);
  }
};

/// Splits a matrix over the ranks, into shares of whole multiples of `alignment`. One that has no more than that is not
/// split, and is the first rank's alone where weights are shared.
inline MatrixSplit split_matrix(std::size_t rows, std::size_t columns, Side along, const Shard& shard,
                                std::size_t alignment) {
  const std::size_t extent = along == Side::rows ? rows : columns;
  const auto parts = static_cast<std::size_t>(shard.ranks);
  const std::size_t share = ((extent + parts - 1) / parts + alignment - 1) / alignment * alignment;
  const bool is_split = shard.ranks > 1 && (shard.of_weights || extent > alignment);
  return {rows, columns, along, is_split ? std::min(share, extent) : 0};
}

}  // namespace Sward
