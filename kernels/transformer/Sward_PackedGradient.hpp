#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "Sward_AttentionShape.hpp"
#include "Sward_Check.hpp"
#include "Sward_ColumnSlice.hpp"
#include "Sward_Float8Matrix.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_LaunchArguments.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_PackedColumns.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_RowCodes.hpp"

namespace Sward {

/// Columns of queries, keys and values, each next to each other; empty where none are wanted.
template <class ExecutionSpace, class Scalar>
struct PackedSlices {
  ColumnSlice<ExecutionSpace, Scalar> query, key, value;

  KOKKOS_FUNCTION bool has_any() const { return !query.is_empty() || !key.is_empty() || !value.is_empty(); }
  bool has_all() const { return !query.is_empty() && !key.is_empty() && !value.is_empty(); }
};

/// What is written from the gradient of packed queries, keys and values while it is at hand: columns of it, and what
/// quantize_rows makes of the whole and these factors, in a Float8Matrix.
template <class ExecutionSpace, class Scalar, class Factors = NoFactors, class Codes = NoCodes>
struct PackedGradientCopies {
  static constexpr bool has_codes = !std::is_same_v<Codes, NoCodes>;

  PackedSlices<ExecutionSpace, Scalar> slices;
  Factors factors;
  Codes codes;
  bool gradient_is_needed = true;  ///< false: the packed gradient itself may be left as it is
};

/// Throws ExtentError unless copies are of a packed gradient of that shape.
template <class ExecutionSpace, class Scalar, class Factors, class Codes>
void check_packed_copies(const char* function, const AttentionShape& shape,
                         const PackedGradientCopies<ExecutionSpace, Scalar, Factors, Codes>& copies) {
  const auto tokens = static_cast<std::size_t>(shape.tokens());
  require_slice(function, "wanted columns of queries", copies.slices.query, tokens);
  require_slice(function, "wanted columns of keys", copies.slices.key, tokens);
  require_slice(function, "wanted columns of values", copies.slices.value, tokens);
  if constexpr (PackedGradientCopies<ExecutionSpace, Scalar, Factors, Codes>::has_codes) {
    const auto columns = static_cast<std::size_t>(shape.query_columns() + 2 * shape.key_value_columns());
    require_extents(function, "factors", {copies.factors.extent(0)}, {columns});
    require_float8_matrix<ExecutionSpace>(function, "codes", copies.codes, tokens, columns);
  }
}

/// A row of finish_packed_gradient in registers, by a team.
template <int N, int count, int sharing, class ExecutionSpace, class Table, class Packed, class Copies>
struct FinishPackedGradientRow {
  using Scalar = typename Packed::non_const_value_type;
  using Teams = RowTeams<ExecutionSpace, sharing, N, 1024>;
  using Team = typename Teams::Team;
  /// The row, for all lanes to pick columns from.
  using Row = Kokkos::View<Pack<Scalar, N>*, typename ExecutionSpace::scratch_memory_space,
                           Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  /// A pack of the first half of a head, and that of the second half which it turns with.
  struct Pair {
    int column;  ///< of the first pack; not below columns() where there is none
    Pack<Scalar, N> packs[2];
  };

  AttentionShape shape;
  bool turns;
  Table cosine, sine;
  Packed gradient;
  Copies copies;

  /// Of a team: a row of so many columns, and its threads' maxima.
  static std::size_t scratch_bytes(std::size_t columns) {
    return Row::shmem_size(columns / N) + Teams::Maxima::shmem_size(Teams::size);
  }
  /// A team a row.
  auto policy(const ExecutionSpace& space) const {
    auto result = Teams::policy(space, gradient.extent(0));
    result.set_scratch_size(0, Kokkos::PerTeam(scratch_bytes(gradient.extent(1))));
    return as_launch_arguments(result);
  }

  KOKKOS_FUNCTION int half() const { return shape.head_size / 2; }
  KOKKOS_FUNCTION int columns() const { return static_cast<int>(gradient.extent(1)); }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const int row = Teams::row(team);
    const int lane = Teams::lane(team);
    const int first = Teams::first_column(team, lane);
    Pair pairs[count];
    load(row, first, pairs);
    if (turns) turn_back(row, pairs);
    if (copies.slices.has_any()) write_slices(team, row, pairs);
    if constexpr (Copies::has_codes) write_all_codes(team, row, lane, pairs);
  }

  /// `first` would be the column of the lane's first pack, were there first halves only.
  KOKKOS_FUNCTION void load(int row, int first, Pair (&pairs)[count]) const {
    const int packs_of_half = half() / N;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const int pack = (first + k * Teams::step) / N;
      const int column = pack / packs_of_half * shape.head_size + pack % packs_of_half * N;
      pairs[k] = {column,
                  {load_pack_or_zeros<N>(&gradient(row, 0), column, columns()),
                   load_pack_or_zeros<N>(&gradient(row, 0), column + half(), columns())}};
    }
  }

  /// Rotates the queries and keys among the pairs, and writes them to the gradient where it is needed.
  KOKKOS_FUNCTION void turn_back(int row, Pair (&pairs)[count]) const {
    const int position = row % shape.length;
    const int end = shape.query_columns() + shape.key_value_columns();
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      auto& [column, packs] = pairs[k];
      if (column >= end) continue;
      const int place = column % shape.head_size;
      auto across = load_pack<N>(&sine(position, place));
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) across[e] = -across[e];
      turn(packs[0], packs[1], load_pack<N>(&cosine(position, place)), across);
      forget_conversions(packs[0]);
      forget_conversions(packs[1]);
      if (!copies.gradient_is_needed) continue;
      store_pack(packs[0], &gradient(row, column));
      store_pack(packs[1], &gradient(row, column + half()));
    }
  }

  /// By way of the team's memory: a lane writes columns that others hold.
  KOKKOS_FUNCTION void write_slices(const Team& team, int row, const Pair (&pairs)[count]) const {
    const Row all(team.team_scratch(0), columns() / N);
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      const auto& [column, packs] = pairs[k];
      if (column >= columns()) continue;
      all(column / N) = packs[0];
      all((column + half()) / N) = packs[1];
    }
    team.team_barrier();
    const Scalar* const elements = all.data()->values;
    const int keys = shape.query_columns();
    const int values = keys + shape.key_value_columns();
    write_slice(team, copies.slices.query, row, 1, [&](int, const int j) { return elements[j]; });
    write_slice(team, copies.slices.key, row, 1, [&](int, const int j) { return elements[keys + j]; });
    write_slice(team, copies.slices.value, row, 1, [&](int, const int j) { return elements[values + j]; });
  }

  /// Codes and scale of the row; the pairs then hold what was rounded.
  KOKKOS_FUNCTION void write_all_codes(const Team& team, int row, int lane, Pair (&pairs)[count]) const {
    std::uint32_t largest = 0;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      auto& [column, packs] = pairs[k];
      if (column >= columns()) continue;
      packs[0] = multiply_for_codes(packs[0], load_pack<N>(&copies.factors(column)));
      packs[1] = multiply_for_codes(packs[1], load_pack<N>(&copies.factors(column + half())));
      largest = Kokkos::max(largest, largest_magnitude(packs));
    }
    const float scale = row_scale<Teams>(team, lane, largest);
    const float inverse = 1 / scale;
    SWARD_UNROLL
    for (int k = 0; k < count; ++k) {
      auto& [column, packs] = pairs[k];
      if (column >= columns()) continue;
      store_pack_codes(packs[0], inverse, &copies.codes.codes(row, column));
      store_pack_codes(packs[1], inverse, &copies.codes.codes(row, column + half()));
    }
    if (pairs[0].column == 0) copies.codes.scale(row) = scale;
  }
};

/// finish_packed_gradient for rows of up to 2 * count * sharing packs a lane; false if they are too long for a team's
/// memory.
template <int N, int count, int sharing, class ExecutionSpace, class Table, class Packed, class Copies>
bool finish_packed_gradient_in_registers(const ExecutionSpace& space, const AttentionShape& shape, bool turns,
                                         const Table& cosine, const Table& sine, const Packed& gradient,
                                         const Copies& copies) {
  using Kernel = FinishPackedGradientRow<N, count, sharing, ExecutionSpace, Table, Packed, Copies>;
  const auto most = static_cast<std::size_t>(Kernel::Teams::Policy::scratch_size_max(0));
  if (Kernel::scratch_bytes(gradient.extent(1)) > most) return false;
  const Kernel kernel{shape, turns, cosine, sine, gradient, copies};
  Kokkos::parallel_for("Sward::finish_packed_gradient", kernel.policy(space), kernel);
  return true;
}

/// Whether finish_packed_gradient_in_registers took these operands: heads of packs, on GPUs, in rows that keep a team
/// busy, and more than one pass apart.
template <class ExecutionSpace, class Table, class Packed, class Copies>
bool took_packed_gradient_in_registers(const ExecutionSpace& space, const AttentionShape& shape, bool turns,
                                       const Table& cosine, const Table& sine, const Packed& gradient,
                                       const Copies& copies) {
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Packed::non_const_value_type>;
    constexpr std::size_t of_one = 2 * N * vector_lanes<ExecutionSpace>;
    // Of slices alone, each reads another part of the rows.
    if (!Copies::has_codes && !(turns && copies.slices.has_any())) return false;
    if (shape.head_size % (2 * N) != 0 || !is_packable<N>(gradient) || !is_packable<N>(cosine) || !is_packable<N>(sine))
      return false;
    if constexpr (Copies::has_codes)
      if (!is_packable<N>(copies.factors) || !is_packable<N>(copies.codes.codes)) return false;
    constexpr int pairs = 3;
    const auto call = [&](auto sharing) {
      return finish_packed_gradient_in_registers<N, pairs, sharing()>(space, shape, turns, cosine, sine, gradient,
                                                                      copies);
    };
    const std::size_t columns = gradient.extent(1);
    if (columns <= 4 * of_one) return false;
    if (columns <= 2 * pairs * of_one) return call(std::integral_constant<int, 2>());
    if (columns <= 4 * pairs * of_one) return call(std::integral_constant<int, 4>());
    if (columns <= 8 * pairs * of_one) return call(std::integral_constant<int, 8>());
    if (columns <= 16 * pairs * of_one) return call(std::integral_constant<int, 16>());
  }
  return false;
}

/// What is left to do with the gradient of packed queries, keys and values (b x (heads + 2 key_value_heads) *
/// head_size) behind attention's: where it `turns`, queries and keys are rotated back, in their place; then the copies
/// are written. In one pass on GPUs, where rows fit into registers. Asynchronous on `space`.
template <class ExecutionSpace, class Table, class Packed, class Copies>
void finish_packed_gradient(const ExecutionSpace& space, const AttentionShape& shape, bool turns, const Table& cosine,
                            const Table& sine, const Packed& gradient, const Copies& copies) {
  static_assert(are_inputs<ExecutionSpace, Table>() && are_outputs<ExecutionSpace, Packed>());
  static_assert(Packed::rank() == 2, "Sward::finish_packed_gradient: the gradient must be a matrix");
  const char* const function = "Sward::finish_packed_gradient";
  require_token_rows(function, "gradient", gradient, shape, shape.query_columns() + 2 * shape.key_value_columns());
  check_packed_copies(function, shape, copies);
  if (took_packed_gradient_in_registers(space, shape, turns, cosine, sine, gradient, copies)) return;
  if (turns) rotary_embedding_backward(space, cosine, sine, rotated_heads(shape), rotated_of(shape, gradient));
  const auto write = [&](const auto& slice, const auto& columns) {
    if (!slice.is_empty()) gather_columns(function, space, slice.columns, columns, slice.values);
  };
  write(copies.slices.query, queries_of(shape, gradient));
  write(copies.slices.key, keys_of(shape, gradient));
  write(copies.slices.value, values_of(shape, gradient));
  if constexpr (Copies::has_codes) quantize_rows(space, gradient, copies.factors, copies.codes);
}

}  // namespace Sward
