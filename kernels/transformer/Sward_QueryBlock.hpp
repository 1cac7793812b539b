#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_AttentionShape.hpp"
#include "Sward_AttentionTile.hpp"

namespace Sward {

/// The queries that a team owns, of one head.
struct QueryBlock {
  int start;  // row of the sequence's first token
  int first;  // number in the sequence of the block's first token
  int queries;
  int head;

  /// Of a matrix of queries, or of what is as wide.
  template <class View>
  KOKKOS_FUNCTION HeadRows<View> rows_of(const View& view, const AttentionShape& shape) const {
    return {view, start + first, queries, head * shape.head_size, shape.head_size};
  }

  /// Of a matrix of keys or values those that the head uses, `count` at the most from token `tile` of the sequence on.
  template <class View>
  KOKKOS_FUNCTION HeadRows<View> keys_of(const View& view, const AttentionShape& shape, int tile, int count) const {
    return {view, start + tile, Kokkos::min(count, shape.length - tile),
            head / shape.heads_per_group() * shape.head_size, shape.head_size};
  }
};

/// The one of the team with this rank, if a sequence has so many blocks of `extent` queries. Those with the most keys
/// come first.
KOKKOS_INLINE_FUNCTION QueryBlock query_block(const AttentionShape& shape, int extent, int blocks, int rank) {
  const int pair = rank / blocks;
  const int first = (blocks - 1 - rank % blocks) * extent;
  return {pair / shape.heads * shape.length, first, Kokkos::min(extent, shape.length - first), pair % shape.heads};
}

}  // namespace Sward
