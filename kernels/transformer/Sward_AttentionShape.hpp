#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <type_traits>

#include "Sward_Check.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// Causal self-attention over `sequences` sequences of `length` tokens, which lie one after the other in the rows of
/// the operands. `heads` query heads of `head_size` share `key_value_heads` key and value heads: query head h uses key
/// and value head h / (heads / key_value_heads).
struct AttentionShape {
  int sequences;
  int length;
  int heads;
  int key_value_heads;
  int head_size;
  bool deterministic = true;  ///< the backward pass gives the same bits in every run; kernels of our own always do

  KOKKOS_FUNCTION int tokens() const { return sequences * length; }
  KOKKOS_FUNCTION int query_columns() const { return heads * head_size; }
  KOKKOS_FUNCTION int key_value_columns() const { return key_value_heads * head_size; }
  KOKKOS_FUNCTION int heads_per_group() const { return heads / key_value_heads; }
  /// The factor on scores, before the softmax.
  KOKKOS_FUNCTION double score_scale() const { return 1 / Kokkos::sqrt(static_cast<double>(head_size)); }
};

/// In place of the list of first keys: every token sees all tokens before it in its sequence.
struct WholeSequence {
  KOKKOS_FUNCTION int operator()(int) const { return 0; }
};

/// What tells the first key that a token sees: a vector, or WholeSequence.
template <class T>
concept FirstKeyList = std::is_same_v<T, WholeSequence> || requires {
  requires T::rank()
  == 1;
};

/// A list of numbers, or none.
template <class ExecutionSpace, class FirstKeys>
constexpr bool are_first_keys() {
  if constexpr (!std::is_same_v<FirstKeys, WholeSequence>) static_assert(is_number_list<ExecutionSpace, FirstKeys>());
  return true;
}

/// Throws unless there is a first key for each token.
inline void require_first_keys(const char*, const WholeSequence&, const AttentionShape&) {}
template <FirstKeyList FirstKeys>
void require_first_keys(const char* function, const FirstKeys& first_keys, const AttentionShape& shape) {
  require_extents(function, "first_keys", {first_keys.extent(0)}, {static_cast<std::size_t>(shape.tokens())});
}

/// Throws unless the numbers of the shape are possible.
inline void check_attention_shape(const char* function, const AttentionShape& shape) {
  require(shape.sequences >= 0 && shape.length >= 0 && shape.head_size > 0, function,
          "sequences and length must not be negative, head_size must be positive");
  require(shape.heads > 0 && shape.key_value_heads > 0 && shape.heads % shape.key_value_heads == 0, function,
          "heads must be a positive multiple of key_value_heads");
}

/// Throws unless `view` is a matrix of one row a token and `columns` columns.
template <class View>
void require_token_rows(const char* function, const char* argument, const View& view, const AttentionShape& shape,
                        int columns) {
  static_assert(View::rank() == 2, "Sward::attention: the operands must be matrices");
  require_extents(function, argument, {view.extent(0), view.extent(1)},
                  {static_cast<std::size_t>(shape.tokens()), static_cast<std::size_t>(columns)});
}

}  // namespace Sward
