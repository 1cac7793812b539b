#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Tiles in which W is transposed.
struct TransposeTile {
  static constexpr int rows = 64;
  static constexpr int columns = 64;
};

/// One tile by loops, whose elements stay in a cache between the reads of neighbours.
template <class Input, class Scale, class Output>
KOKKOS_INLINE_FUNCTION void quantize_tile(const Input& input, const Scale& scale, int row, int column,
                                          const Output& output) {
  const int end_row = Kokkos::min(row + TransposeTile::rows, static_cast<int>(input.extent(0)));
  const int end_column = Kokkos::min(column + TransposeTile::columns, static_cast<int>(input.extent(1)));
  for (int j = column; j < end_column; ++j)
    for (int i = row; i < end_row; ++i) output(j, i) = Float8(static_cast<float>(input(i, j)) * (1 / scale(i)));
}

/// quantize_transposed tile by tile, without what GPUs need.
template <class ExecutionSpace, class Input, class Scale, class Output>
SWARD_FILE_LOCAL void quantize_tiles(const ExecutionSpace& space, const Input& input, const Scale& scale,
                                     const Output& output) {
  const int tiles_down = (static_cast<int>(input.extent(0)) + TransposeTile::rows - 1) / TransposeTile::rows;
  const int tiles_across = (static_cast<int>(input.extent(1)) + TransposeTile::columns - 1) / TransposeTile::columns;
  Kokkos::parallel_for(
      "Sward::quantize_transposed", Kokkos::RangePolicy<ExecutionSpace>(space, 0, tiles_down * tiles_across),
      KOKKOS_LAMBDA(const int tile) {
        quantize_tile(input, scale, tile / tiles_across * TransposeTile::rows,
                      tile % tiles_across * TransposeTile::columns, output);
      });
}

/// quantize_transposed where rows of W and of Q can be moved in packs: a tile goes through a team's scratch memory, in
/// words of four codes that are neighbours in Q. A thread reads packs of four rows, so that it has whole words.
template <class ExecutionSpace, class Input, class Scale, class Output>
SWARD_FILE_LOCAL void quantize_tiles_in_scratch(const ExecutionSpace& space, const Input& input, const Scale& scale,
                                                const Output& output) {
  using Stored = typename Input::non_const_value_type;
  constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 128;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<threads, 1>>;
  using Scratch = Kokkos::View<std::uint32_t**, Kokkos::LayoutRight, typename ExecutionSpace::scratch_memory_space,
                               Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  constexpr int N = pack_size<Stored>;
  constexpr int words = TransposeTile::rows / 4;
  constexpr int packs = TransposeTile::columns / N;
  // One word more a row: neighbours down a column lie in different banks.
  constexpr int pitch = words + 1;
  const int rows = static_cast<int>(input.extent(0));
  const int columns = static_cast<int>(input.extent(1));
  const int tiles_down = (rows + TransposeTile::rows - 1) / TransposeTile::rows;
  const int tiles_across = (columns + TransposeTile::columns - 1) / TransposeTile::columns;
  Kokkos::parallel_for(
      "Sward::quantize_transposed",
      Policy(space, tiles_down * tiles_across, threads)
          .set_scratch_size(0, Kokkos::PerTeam(Scratch::shmem_size(TransposeTile::columns, pitch))),
      KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const Scratch tile(team.team_scratch(0), TransposeTile::columns, pitch);
        const int first_row = team.league_rank() / tiles_across * TransposeTile::rows;
        const int first_column = team.league_rank() % tiles_across * TransposeTile::columns;
        for (int place = team.team_rank(); place < words * packs; place += team.team_size()) {
          // Eight neighbouring words and four packs a warp meet no bank twice.
          const int word = place / 32 % (words / 8) * 8 + place % 8;
          const int pack = place / 32 / (words / 8) * 4 + place / 8 % 4;
          const int row = first_row + word * 4;
          const int column = first_column + pack * N;
          if (row >= rows || column >= columns) continue;
          Pack<Float8, N> codes[4];
          SWARD_UNROLL
          for (int r = 0; r < 4; ++r) {
            const auto values = load_pack<N>(&input(row + r, column));
            const float inverse = 1 / scale(row + r);
            Pack<float, N> quotients;
            SWARD_UNROLL
            for (int e = 0; e < N; ++e) quotients[e] = static_cast<float>(values[e]) * inverse;
            codes[r] = convert_pack<Float8>(quotients);
          }
          SWARD_UNROLL
          for (int e = 0; e < N; ++e) {
            std::uint32_t neighbours = 0;
            SWARD_UNROLL
            for (int r = 0; r < 4; ++r) neighbours |= static_cast<std::uint32_t>(codes[r][e].bits()) << (8 * r);
            tile(pack * N + e, word) = neighbours;
          }
        }
        team.team_barrier();
        for (int place = team.team_rank(); place < words * TransposeTile::columns; place += team.team_size()) {
          const int word = place % words;
          const int j = place / words;
          const int row = first_row + word * 4;
          if (row >= rows || first_column + j >= columns) continue;
          Pack<Float8, 4> codes;
          SWARD_UNROLL
          for (int r = 0; r < 4; ++r) codes[r] = Float8::from_bits(static_cast<std::uint8_t>(tile(j, word) >> (8 * r)));
          store_pack(codes, &output(first_column + j, row));
        }
      });
}

/// Q(j, i) = W(i, j) / s(i) in 8 bits: W is m x n in float or bfloat16, s has m elements, powers of two that make its
/// rows fit (quantize_rows), Q is n x m and of Float8. Asynchronous on `space`.
template <class ExecutionSpace, class Input, class Scale, class Output>
void quantize_transposed(const ExecutionSpace& space, const Input& input, const Scale& scale, const Output& output) {
  static_assert(are_inputs<ExecutionSpace, Input, Scale>() && is_written<ExecutionSpace, Output>());
  static_assert(Input::rank() == 2 && Scale::rank() == 1 && Output::rank() == 2,
                "Sward::quantize_transposed: W and Q must be matrices, s a vector");
  require_extents("Sward::quantize_transposed", "s", {scale.extent(0)}, {input.extent(0)});
  require_extents("Sward::quantize_transposed", "Q", {output.extent(0), output.extent(1)},
                  {input.extent(1), input.extent(0)});
  if constexpr (!runs_on_host<ExecutionSpace>) {
    constexpr int N = pack_size<typename Input::non_const_value_type>;
    if (is_packable<N>(input) && is_packable<4>(output)) return quantize_tiles_in_scratch(space, input, scale, output);
  }
  quantize_tiles(space, input, scale, output);
}

}  // namespace Sward
