#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_CopyRows.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// output(i, :) = table(tokens(i), :). table is vocabulary x n, tokens has b elements, output is b x n.
/// A token outside the vocabulary gives a row of NaN.
template <class ExecutionSpace, class Table, class Tokens, class Output>
SWARD_FILE_LOCAL void embedding(const ExecutionSpace& space, const Table& table, const Tokens& tokens,
                                const Output& output) {
  static_assert(are_inputs<ExecutionSpace, Table>() && is_number_list<ExecutionSpace, Tokens>() &&
                are_outputs<ExecutionSpace, Output>());
  static_assert(Table::rank() == 2 && Tokens::rank() == 1 && Output::rank() == 2,
                "Sward::embedding: table and output must be matrices, tokens a vector");
  require_extents("Sward::embedding", "output", {output.extent(0), output.extent(1)},
                  {tokens.extent(0), table.extent(1)});
  const int vocabulary = static_cast<int>(table.extent(0));
  copy_rows(
      "Sward::embedding", space, table,
      KOKKOS_LAMBDA(const int row) {
        const int token = tokens(row);
        return token < vocabulary ? token : -1;
      },
      output);
}

}  // namespace Sward
