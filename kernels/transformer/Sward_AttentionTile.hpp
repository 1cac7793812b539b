#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_TeamChunks.hpp"

namespace Sward {

/// The sizes in which attention works. A team owns a block of tokens (queries, or keys) and streams the others past it
/// in tiles; no more than stream x block scores exist at a time. In scratch, rows are padded with zeros to whole lanes,
/// so that loops have constant lengths for any head size and any number of tokens.
template <class ExecutionSpace, class Scalar>
struct AttentionTile {
  static constexpr bool host = runs_on_host<ExecutionSpace>;
  /// Device code has no address of these two: functions that take references get int{block}.
  static constexpr int block = 32;
  static constexpr int stream = host ? 32 : 16;
  /// A product keeps rows x lanes sums in half of the registers, of which there are 32 with AVX-512 and 16 without.
#ifdef __AVX512F__
  static constexpr int row_bytes = 32;
#else
  static constexpr int row_bytes = 16;
#endif
  static constexpr int rows = host ? row_bytes / static_cast<int>(sizeof(Scalar)) : 1;
  static constexpr int lanes = host ? 16 : 1;

  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::Schedule<Kokkos::Dynamic>>;
  using Member = typename Policy::member_type;

  /// A head size filled up to whole loops, and the blocks that hold so many tokens.
  static constexpr int padded(int head_size) { return (head_size + 15) / 16 * 16; }
  static constexpr int blocks(int length) { return (length + block - 1) / block; }

  /// One team for each of `league` blocks, with scratch for `count` numbers a team.
  static Policy policy(const ExecutionSpace& space, int league, int count) {
    Policy result(space, league, host ? 1 : 8, host ? 1 : 32);
    return result.set_scratch_size(level(count), Kokkos::PerTeam(bytes(count)));
  }

  /// Where scratch of `count` numbers finds room: 0 close to the processor, 1 in memory.
  static int level(int count) { return bytes(count) <= static_cast<std::size_t>(Policy::scratch_size_max(0)) ? 0 : 1; }

  /// Scratch of a team, for `count` numbers.
  KOKKOS_FUNCTION static Scalar* scratch(const Member& team, int level, int count) {
    return static_cast<Scalar*>(
        team.team_scratch(level).get_shmem_aligned(sizeof(Scalar) * static_cast<std::size_t>(count), alignment));
  }

 private:
  static constexpr std::ptrdiff_t alignment = 64;
  static std::size_t bytes(int count) { return sizeof(Scalar) * static_cast<std::size_t>(count) + alignment; }
};

/// Rows first .. first + count of one head of a matrix, as they are read into scratch.
template <class View>
struct HeadRows {
  const View& view;
  int token;   // row of the first one
  int valid;   // how many there are; the rest counts as zero
  int column;  // of the head's first element
  int head_size;
};

/// tile(i, c) = source row i, zero beyond the head and beyond the valid rows. Row-major, `padded` columns.
template <class Team, class View, class Scalar>
KOKKOS_INLINE_FUNCTION void load_rows(const Team& team, const HeadRows<View>& source, int rows, int padded,
                                      Scalar* tile) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, rows), [&](const int i) {
    const int filled = i < source.valid ? source.head_size : 0;
    Scalar* const row = tile + i * padded;
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, filled), [&](const int c) {
      row[c] = static_cast<Scalar>(source.view(source.token + i, source.column + c));
    });
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, filled, padded), [&](const int c) { row[c] = 0; });
  });
}

/// tile(c, i) = factor * source row i, zero beyond the head and beyond the valid rows. Row-major, `rows` columns.
template <class Team, class View, class Scalar>
KOKKOS_INLINE_FUNCTION void load_transposed(const Team& team, const HeadRows<View>& source, Scalar factor, int rows,
                                            int padded, Scalar* tile) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, rows), [&](const int i) {
    const int filled = i < source.valid ? source.head_size : 0;
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, filled), [&](const int c) {
      tile[c * rows + i] = factor * static_cast<Scalar>(source.view(source.token + i, source.column + c));
    });
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, filled, padded), [&](const int c) { tile[c * rows + i] = 0; });
  });
}

/// tile(i) = 0 for i < count. Behind a barrier others may read it.
template <class Team, class Scalar>
KOKKOS_INLINE_FUNCTION void set_zero(const Team& team, int count, Scalar* tile) {
  for_each_chunk(team, count, [&](const int begin, const int end) {
    for (int i = begin; i < end; ++i) tile[i] = 0;
  });
}

/// The first keys of `rows` tokens as numbers in scratch. Tokens beyond the valid ones see what the last valid one
/// sees.
template <class Team, class FirstKeys, class Scalar>
KOKKOS_INLINE_FUNCTION void load_first_keys(const Team& team, const FirstKeys& first_keys, int token, int valid,
                                            int rows, Scalar* tile) {
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rows), [&](const int i) {
    tile[i] = static_cast<Scalar>(first_keys(token + (i < valid ? i : valid - 1)));
  });
}

/// Whether the token `query` of a sequence does not see `key`. Without a branch, for loops over lanes.
template <class Scalar>
KOKKOS_INLINE_FUNCTION bool hides(int key, int query, Scalar first_key) {
  return (key > query) | (static_cast<Scalar>(key) < first_key);
}

/// One operand of a tile product: element (i, k) is data[i * row + k * depth].
template <class Scalar>
struct TileFactor {
  const Scalar* data;
  int row;
  int depth;
};

/// Calls store(i, j, sum_k left(i, k) right[k * columns + j]) for all i < rows, j < columns, which must be multiples of
/// Tile::rows and Tile::lanes. Each (i, j) is stored by the same thread in all products of the same extents.
template <class Tile, class Team, class Scalar, class Store>
KOKKOS_INLINE_FUNCTION void tile_product(const Team& team, int rows, int columns, int depth,
                                         const TileFactor<Scalar>& left, const Scalar* right, const Store& store) {
  constexpr int height = Tile::rows;
  constexpr int width = Tile::lanes;
  const int across = columns / width;
  Kokkos::parallel_for(Kokkos::TeamVectorRange(team, rows / height * across), [&](const int piece) {
    const int i = piece / across * height;
    const int j = piece % across * width;
    const Scalar* const a = left.data + i * left.row;
    const Scalar* const b = right + j;
    Scalar sum[height][width] = {};
    SWARD_UNROLL_ONCE
    for (int k = 0; k < depth; ++k)
      for (int r = 0; r < height; ++r) {
        const Scalar factor = a[r * left.row + k * left.depth];
        SWARD_LANES
        for (int lane = 0; lane < width; ++lane) sum[r][lane] += factor * b[k * columns + lane];
      }
    for (int r = 0; r < height; ++r) {
      SWARD_LANES
      for (int lane = 0; lane < width; ++lane) store(i + r, j + lane, sum[r][lane]);
    }
  });
}

}  // namespace Sward
