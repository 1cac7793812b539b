#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "Sward_Check.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Four bytes of two words, chosen by the selector's hexadecimal digits from its last one on: 0 to 3 are those of the
/// first word, 4 to 7 of the second.
KOKKOS_INLINE_FUNCTION std::uint32_t select_bytes(std::uint32_t first, std::uint32_t second, std::uint32_t selector) {
#if defined(__CUDA_ARCH__)
  return __byte_perm(first, second, selector);
#else
  const std::uint64_t both = first | static_cast<std::uint64_t>(second) << 32;
  std::uint32_t result = 0;
  for (unsigned place = 0; place < 4; ++place) {
    const unsigned source = selector >> (4 * place) & 7U;
    result |= static_cast<std::uint32_t>(both >> (8 * source) & 0xffU) << (8 * place);
  }
  return result;
#endif
}

/// Word c of the result is made of byte c of each word of a square.
KOKKOS_INLINE_FUNCTION Pack<std::uint32_t, 4> transpose_bytes(const Pack<std::uint32_t, 4>& rows) {
  const std::uint32_t upper_left = select_bytes(rows[0], rows[1], 0x5140);
  const std::uint32_t upper_right = select_bytes(rows[0], rows[1], 0x7362);
  const std::uint32_t lower_left = select_bytes(rows[2], rows[3], 0x5140);
  const std::uint32_t lower_right = select_bytes(rows[2], rows[3], 0x7362);
  return {select_bytes(upper_left, lower_left, 0x5410), select_bytes(upper_left, lower_left, 0x7632),
          select_bytes(upper_right, lower_right, 0x5410), select_bytes(upper_right, lower_right, 0x7632)};
}

/// What a team of a GPU transposes at once. On its way a tile lies in scratch, column by column, in words of four codes
/// that are neighbours in the result.
struct CodeTile {
  static constexpr int rows = 128;
  static constexpr int columns = 128;
  static constexpr int pack = 16;  // codes of an access to memory
  static constexpr int words = rows / 4;
  static constexpr int packs_of_a_row = columns / pack;
  static constexpr int packs_of_a_column = rows / pack;
  static constexpr int threads = words * packs_of_a_row;

  /// Tiles that such a matrix is divided into.
  static int tiles_down(std::size_t rows_of_all) { return (static_cast<int>(rows_of_all) + rows - 1) / rows; }
  static int tiles_across(std::size_t columns_of_all) {
    return (static_cast<int>(columns_of_all) + columns - 1) / columns;
  }

  /// Columns are turned by a pack against those of the pack before, so that neither the threads that write words of
  /// four rows nor those that read packs of a column meet in a bank.
  KOKKOS_FUNCTION static int place(int column, int word) { return column * words + (word + column / pack * 4) % words; }
};

/// transpose_codes where rows of both matrices can be moved in packs.
template <class ExecutionSpace, class Input, class Output>
struct TransposeTileOfCodes {
  static constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : CodeTile::threads;
  // So many teams of a multiprocessor are to find room for their registers.
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<threads, 5>>;
  using Team = typename Policy::member_type;
  using Words = Pack<std::uint32_t, 4>;
  static constexpr std::size_t scratch_bytes = CodeTile::columns * CodeTile::words * sizeof(std::uint32_t);

  Input input;
  Output output;
  int tiles_across;

  /// A team a tile.
  static Policy policy(const ExecutionSpace& space, int tiles) {
    return Policy(space, tiles, threads).set_scratch_size(0, Kokkos::PerTeam(scratch_bytes + alignof(Words)));
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    // Taken by reference, which a static member would have to be defined for.
    const std::size_t bytes = scratch_bytes;
    auto* const tile = static_cast<std::uint32_t*>(team.team_scratch(0).get_shmem_aligned(bytes, alignof(Words)));
    const int row = team.league_rank() / tiles_across * CodeTile::rows;
    const int column = team.league_rank() % tiles_across * CodeTile::columns;
    for (int i = team.team_rank(); i < CodeTile::threads; i += threads)
      load(row, column, i / CodeTile::packs_of_a_row, i % CodeTile::packs_of_a_row, tile);
    team.team_barrier();
    for (int i = team.team_rank(); i < CodeTile::columns * CodeTile::packs_of_a_column; i += threads)
      store(row, column, i / CodeTile::packs_of_a_column, i % CodeTile::packs_of_a_column, tile);
  }

  /// A pack of four rows, into a word of each of its columns.
  KOKKOS_FUNCTION void load(int first_row, int first_column, int word, int pack, std::uint32_t* tile) const {
    const int row = first_row + 4 * word;
    const int column = first_column + pack * CodeTile::pack;
    if (row >= static_cast<int>(input.extent(0)) || column >= static_cast<int>(input.extent(1))) return;
    Words codes[4];
    SWARD_UNROLL
    for (int r = 0; r < 4; ++r)
      codes[r] = load_pack<4>(reinterpret_cast<const std::uint32_t*>(&input(row + r, column)));
    SWARD_UNROLL
    for (int k = 0; k < 4; ++k) {
      const Words turned = transpose_bytes({codes[0][k], codes[1][k], codes[2][k], codes[3][k]});
      SWARD_UNROLL
      for (int c = 0; c < 4; ++c) tile[CodeTile::place(pack * CodeTile::pack + 4 * k + c, word)] = turned[c];
    }
  }

  /// A pack of a column, into a row of the result.
  KOKKOS_FUNCTION void store(int first_row, int first_column, int column, int pack, const std::uint32_t* tile) const {
    const int row = first_row + pack * CodeTile::pack;
    if (row >= static_cast<int>(input.extent(0)) || first_column + column >= static_cast<int>(input.extent(1))) return;
    const auto codes = load_pack<4>(tile + CodeTile::place(column, 4 * pack));
    store_pack(codes, reinterpret_cast<std::uint32_t*>(&output(first_column + column, row)));
  }
};

/// transpose_codes by tiles of packs.
template <class ExecutionSpace, class Input, class Output>
void transpose_tiles_of_codes(const ExecutionSpace& space, const Input& input, const Output& output) {
  using Kernel = TransposeTileOfCodes<ExecutionSpace, Input, Output>;
  const int tiles_across = CodeTile::tiles_across(input.extent(1));
  const int tiles = CodeTile::tiles_down(input.extent(0)) * tiles_across;
  Kokkos::parallel_for("Sward::transpose_codes", Kernel::policy(space, tiles), Kernel{input, output, tiles_across});
}

/// One tile by loops, whose elements stay in a cache between the reads of neighbours.
template <class Input, class Output>
struct TransposeCodesInLoops {
  Input input;
  Output output;
  int tiles_across;

  KOKKOS_FUNCTION void operator()(int tile) const {
    const int row = tile / tiles_across * CodeTile::rows;
    const int column = tile % tiles_across * CodeTile::columns;
    const int end_row = Kokkos::min(row + CodeTile::rows, static_cast<int>(input.extent(0)));
    const int end_column = Kokkos::min(column + CodeTile::columns, static_cast<int>(input.extent(1)));
    for (int j = column; j < end_column; ++j)
      for (int i = row; i < end_row; ++i) output(j, i) = input(i, j);
  }
};

/// transpose_codes of any layout.
template <class ExecutionSpace, class Input, class Output>
void transpose_codes_in_loops(const ExecutionSpace& space, const Input& input, const Output& output) {
  const int tiles_across = CodeTile::tiles_across(input.extent(1));
  const int tiles = CodeTile::tiles_down(input.extent(0)) * tiles_across;
  Kokkos::parallel_for("Sward::transpose_codes", Kokkos::RangePolicy<ExecutionSpace>(space, 0, tiles),
                       TransposeCodesInLoops<Input, Output>{input, output, tiles_across});
}

/// Q(j, i) = C(i, j): C is m x n, Q is n x m, both of Float8. Asynchronous on `space`.
template <class ExecutionSpace, class Input, class Output>
void transpose_codes(const ExecutionSpace& space, const Input& input, const Output& output) {
  static_assert(are_operands<ExecutionSpace, Input>() && is_written<ExecutionSpace, Output>());
  static_assert(Input::rank() == 2 && Output::rank() == 2, "Sward::transpose_codes: C and Q must be matrices");
  static_assert(std::is_same_v<typename Input::non_const_value_type, Float8> &&
                    std::is_same_v<typename Output::value_type, Float8>,
                "Sward::transpose_codes: C and Q must be of Float8");
  require_extents("Sward::transpose_codes", "Q", {output.extent(0), output.extent(1)},
                  {input.extent(1), input.extent(0)});
  if constexpr (!runs_on_host<ExecutionSpace>) {
    if (is_packable<CodeTile::pack>(input) && is_packable<CodeTile::pack>(output))
      return transpose_tiles_of_codes(space, input, output);
  }
  transpose_codes_in_loops(space, input, output);
}

}  // namespace Sward
