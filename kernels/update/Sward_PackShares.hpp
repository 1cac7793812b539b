#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_WeightShares.hpp"

namespace Sward {

/// pieces(p, i piece_columns + j) = matrix(matrix_row(q, i), matrix_column(q, j)) for the ranks q = first + p, and 0
/// where a rank has nothing. `pieces` is ranks x shares.piece_size(), for one rank or for several that follow each
/// other, and may round to another type. Asynchronous on `space`. Throws ExtentError.
template <class ExecutionSpace, class Matrix, class Pieces>
SWARD_FILE_LOCAL void pack_shares(const ExecutionSpace& space, const WeightShares<ExecutionSpace, Matrix>& shares,
                                  int first, const Pieces& pieces) {
  static_assert(are_outputs<ExecutionSpace, Pieces>());
  static_assert(Pieces::rank() == 2, "Sward::pack_shares: the pieces must be rows of a matrix");
  using Element = typename Pieces::non_const_value_type;
  const char* const function = "Sward::pack_shares";
  require_extents(function, "pieces", {pieces.extent(1)}, {shares.piece_size()});
  const int rows = shares.piece_rows();
  const int columns = shares.piece_columns();
  if (pieces.extent(0) == 0 || shares.piece_size() == 0) return;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  Kokkos::parallel_for(
      function, row_policy(space, static_cast<int>(pieces.extent(0)) * rows),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int place = team.league_rank() / rows;
        const int rank = first + place;
        const int i = team.league_rank() % rows;
        const int owned = i < shares.owned_rows(rank) ? shares.owned_columns(rank) : 0;
        const int row = owned > 0 ? shares.matrix_row(rank, i) : 0;
        const auto begin_of_row = static_cast<std::size_t>(i) * static_cast<std::size_t>(columns);
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j)
            pieces(place, begin_of_row + static_cast<std::size_t>(j)) =
                j < owned ? static_cast<Element>(shares.matrix(row, shares.matrix_column(rank, j))) : Element(0.0F);
        });
      });
}

}  // namespace Sward
