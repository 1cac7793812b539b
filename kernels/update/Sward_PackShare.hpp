#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_WeightShares.hpp"

namespace Sward {

/// piece(i, j) = weight(weight_row(rank, i), weight_column(rank, j)) for what the rank has of its share; the rest of
/// the piece stays. `piece` is a vector of shares.piece_size() elements. Asynchronous on `space`. Throws ExtentError.
template <class ExecutionSpace, class Weight, class Piece>
void pack_share(const ExecutionSpace& space, const WeightShares<ExecutionSpace, Weight>& shares, int rank,
                const Piece& piece) {
  static_assert(Piece::rank() == 1, "Sward::pack_share: the piece must be a vector");
  const char* const function = "Sward::pack_share";
  require_extents(function, "piece", {piece.extent(0)}, {shares.piece_size()});
  const int columns = shares.owned_columns(rank);
  if (columns == 0 || shares.owned_rows(rank) == 0) return;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  Kokkos::parallel_for(
      function, row_policy(space, shares.owned_rows(rank)), KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int i = team.league_rank();
        const int row = shares.weight_row(rank, i);
        const auto first = static_cast<std::size_t>(i) * static_cast<std::size_t>(shares.piece_columns());
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          SWARD_INDEPENDENT_ITERATIONS
          for (int j = begin; j < end; ++j)
            piece(first + static_cast<std::size_t>(j)) = shares.weight(row, shares.weight_column(rank, j));
        });
      });
}

}  // namespace Sward
