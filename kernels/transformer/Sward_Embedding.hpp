#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// output(i, :) = table(tokens(i), :). table is vocabulary x n, tokens has b elements, output is b x n.
/// A token outside the vocabulary gives a row of NaN.
template <class ExecutionSpace, class Table, class Tokens, class Output>
void embedding(const ExecutionSpace& space, const Table& table, const Tokens& tokens, const Output& output) {
  static_assert(Table::rank() == 2 && Tokens::rank() == 1 && Output::rank() == 2,
                "Sward::embedding: table and output must be matrices, tokens a vector");
  using Scalar = typename Output::non_const_value_type;
  require_extents("Sward::embedding", "output", {output.extent(0), output.extent(1)},
                  {tokens.extent(0), table.extent(1)});
  const int rows = static_cast<int>(output.extent(0));
  const int columns = static_cast<int>(output.extent(1));
  const int vocabulary = static_cast<int>(table.extent(0));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::embedding", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const int token = tokens(row);
        const bool known = token >= 0 && token < vocabulary;
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          if (known) {
            for (int i = begin; i < end; ++i) output(row, i) = table(token, i);
          } else {
            for (int i = begin; i < end; ++i) output(row, i) = Kokkos::Experimental::quiet_NaN_v<Scalar>;
          }
        });
      });
}

/// Whether one of tokens(begin .. end) is `token`, for all threads of the team.
template <class Team, class Tokens>
KOKKOS_INLINE_FUNCTION bool contains_token(const Team& team, const Tokens& tokens, int begin, int end, int token) {
  return team_sum(team, end - begin, [&](const int i) { return tokens(begin + i) == token ? 1 : 0; }) > 0;
}

/// Gradient of embedding: table_gradient(tokens(i), :) += output_gradient(i, :) for every i, in the order of i for each
/// token and so the same bits at any number of threads. Tokens outside the vocabulary are passed over.
template <class ExecutionSpace, class Tokens, class OutputGradient, class TableGradient>
void embedding_backward(const ExecutionSpace& space, const Tokens& tokens, const OutputGradient& output_gradient,
                        const TableGradient& table_gradient) {
  static_assert(TableGradient::rank() == 2 && Tokens::rank() == 1 && OutputGradient::rank() == 2,
                "Sward::embedding_backward: the gradients must be matrices, tokens a vector");
  require_extents("Sward::embedding_backward", "output_gradient",
                  {output_gradient.extent(0), output_gradient.extent(1)}, {tokens.extent(0), table_gradient.extent(1)});
  const int rows = static_cast<int>(output_gradient.extent(0));
  const int columns = static_cast<int>(output_gradient.extent(1));
  const int vocabulary = static_cast<int>(table_gradient.extent(0));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  // The team of a token's first position adds the gradients of all its positions: no row is written by two teams.
  Kokkos::parallel_for(
      "Sward::embedding_backward", row_policy(space, rows), KOKKOS_LAMBDA(const Member& team) {
        constexpr int chunk = 256;
        const int first = team.league_rank();
        const int token = tokens(first);
        if (token < 0 || token >= vocabulary) return;
        for (int begin = 0; begin < first; begin += chunk) {
          const int end = begin + chunk < first ? begin + chunk : first;
          if (contains_token(team, tokens, begin, end, token)) return;
        }
        for (int begin = first; begin < rows; begin += chunk) {
          const int end = begin + chunk < rows ? begin + chunk : rows;
          if (!contains_token(team, tokens, begin, end, token)) continue;
          for_each_chunk(team, columns, [&](const int left, const int right) {
            for (int i = begin; i < end; ++i) {
              if (tokens(i) != token) continue;
              for (int j = left; j < right; ++j) table_gradient(token, j) += output_gradient(i, j);
            }
          });
        }
      });
}

}  // namespace Sward
