#pragma once

#include <Kokkos_Core.hpp>
#include <utility>

#include "Sward_AttentionShape.hpp"

namespace Sward {

/// Columns of a matrix of queries, keys and values side by side.
template <class Packed>
auto packed_columns(const Packed& packed, int first, int count) {
  return Kokkos::subview(packed, Kokkos::ALL, std::pair<int, int>(first, first + count));
}
template <class Packed>
auto queries_of(const AttentionShape& shape, const Packed& packed) {
  return packed_columns(packed, 0, shape.query_columns());
}
template <class Packed>
auto keys_of(const AttentionShape& shape, const Packed& packed) {
  return packed_columns(packed, shape.query_columns(), shape.key_value_columns());
}
template <class Packed>
auto values_of(const AttentionShape& shape, const Packed& packed) {
  return packed_columns(packed, shape.query_columns() + shape.key_value_columns(), shape.key_value_columns());
}
/// Queries and keys, all of whose heads are rotated alike.
template <class Packed>
auto rotated_of(const AttentionShape& shape, const Packed& packed) {
  return packed_columns(packed, 0, shape.query_columns() + shape.key_value_columns());
}
inline int rotated_heads(const AttentionShape& shape) { return shape.heads + shape.key_value_heads; }

}  // namespace Sward
