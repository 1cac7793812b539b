#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_WeightShares.hpp"

namespace Sward {

/// No rank's part of a matrix is left out.
inline constexpr int from_all_ranks = -1;

/// matrix(matrix_row(q, i), matrix_column(q, j)) = pieces(q, i piece_columns + j) for all ranks q but `own`: what
/// pack_shares took on each of them. `pieces` is ranks x shares.piece_size(). Asynchronous on `space`. Throws
/// ExtentError.
template <class ExecutionSpace, class Matrix, class Pieces>
SWARD_FILE_LOCAL void unpack_shares(const ExecutionSpace& space, const WeightShares<ExecutionSpace, Matrix>& shares,
                                    int own, const Pieces& pieces) {
  static_assert(are_inputs<ExecutionSpace, Pieces>());
  static_assert(are_outputs<ExecutionSpace, Matrix>());
  static_assert(Pieces::rank() == 2, "Sward::unpack_shares: the pieces must be rows of a matrix");
  const char* const function = "Sward::unpack_shares";
  require_extents(function, "pieces", {pieces.extent(1)}, {shares.piece_size()});
  const int rows = shares.piece_rows();
  if (pieces.extent(0) == 0 || shares.piece_size() == 0) return;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  Kokkos::parallel_for(
      function, row_policy(space, static_cast<int>(pieces.extent(0)) * rows),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int rank = team.league_rank() / rows;
        const int i = team.league_rank() % rows;
        if (rank == own || i >= shares.owned_rows(rank)) return;
        const int row = shares.matrix_row(rank, i);
        const auto first = static_cast<std::size_t>(i) * static_cast<std::size_t>(shares.piece_columns());
        // Slots of one row or column hold the same values, and only one of them is to write.
        for_each_chunk(team, shares.owned_columns(rank), [&](const int begin, const int end) {
          for (int j = begin; j < end; ++j)
            if (!shares.repeats(i, j))
              shares.matrix(row, shares.matrix_column(rank, j)) = pieces(rank, first + static_cast<std::size_t>(j));
        });
      });
}

}  // namespace Sward
