#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Pack.hpp"

namespace Sward {

/// A double as an integer: larger numbers are larger integers, and both zeros are one. Not for NaN.
KOKKOS_INLINE_FUNCTION std::uint64_t ordered_bits(double value) {
  constexpr std::uint64_t sign = std::uint64_t(1) << 63;
  const auto bits = Kokkos::bit_cast<std::uint64_t>(value + 0.0);
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

/// Divides the largest r keys from the others: they are those whose distance from the least key, without its last
/// `shift` bits, is above `leading`, and the first `ties` of those where that is equal to it.
struct KeyCut {
  static constexpr int digit_bits = 8;
  static constexpr int digits = 1 << digit_bits;

  std::uint64_t least;
  std::uint64_t leading;
  int shift;
  int ties;

  /// What of a key's distance from the least is compared with `leading`.
  KOKKOS_INLINE_FUNCTION std::uint64_t leading_of(std::uint64_t key) const {
    return shift < 64 ? (key - least) >> shift : 0;
  }
};

/// Scratch of a team that looks for the cut.
template <class ExecutionSpace>
struct CutScratch {
  using List =
      Kokkos::View<int*, typename ExecutionSpace::scratch_memory_space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  List histograms[2];  ///< of the digits: one is counted in while the next one's is cleared
  List found;          ///< the digit of the cut, the ties, and the keys with that digit

  template <class Team>
  KOKKOS_INLINE_FUNCTION explicit CutScratch(const Team& team)
      : histograms{List(team.team_scratch(0), KeyCut::digits), List(team.team_scratch(0), KeyCut::digits)},
        found(team.team_scratch(0), 3) {}
  /// Called by the whole team, which needs a barrier then.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void clear(const Team& team, int which) const {
    const int digits = KeyCut::digits;
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, digits), [&](const int digit) { histograms[which](digit) = 0; });
  }
  /// Of scratch that a team needs.
  static std::size_t bytes() { return 2 * List::shmem_size(KeyCut::digits) + List::shmem_size(3); }
};

/// Counts the keys above the digit of the cut down from the largest, and writes what it finds. Called by one thread of
/// a team with its lanes.
template <class Team, class List>
KOKKOS_INLINE_FUNCTION void find_digit(const Team& team, int ties, const List& histogram, const List& found) {
  constexpr int parts = 32;
  constexpr int share = KeyCut::digits / parts;
  Kokkos::parallel_scan(Kokkos::ThreadVectorRange(team, parts), [&](const int part, int& above, const bool is_final) {
    const int largest = KeyCut::digits - part * share - 1;
    // All are read before one is written, or each load would wait for the store before it.
    int counts[share];
    SWARD_UNROLL
    for (int i = 0; i < share; ++i) counts[i] = histogram(largest - i);
    SWARD_UNROLL
    for (int i = 0; i < share; ++i) {
      if (is_final && above < ties && ties <= above + counts[i]) {
        found(0) = largest - i;
        found(1) = ties - above;
        found(2) = counts[i];
      }
      above += counts[i];
    }
  });
}

using KeyRange = Kokkos::MinMaxScalar<std::uint64_t>;

/// The cut between the largest `rank` keys and the others, digit by digit. Distances from the least key use all values
/// of the first digit, which the keys themselves would not: two or three digits do. Called by the whole team, with its
/// first histogram cleared.
template <class Team, class Keys, class Scratch>
KOKKOS_INLINE_FUNCTION KeyCut find_cut(const Team& team, const Keys& keys, const KeyRange& range, int rank,
                                       const Scratch& scratch) {
  const int extent = static_cast<int>(keys.extent(0));
  KeyCut cut{range.min_val, 0, 64 - Kokkos::countl_zero(range.max_val - range.min_val), rank};
  int which = 0;
  for (int inside = extent; cut.shift > 0 && inside > cut.ties; inside = scratch.found(2), which = 1 - which) {
    const int width = cut.shift < KeyCut::digit_bits ? cut.shift : KeyCut::digit_bits;
    const int shift = cut.shift - width;
    const auto histogram = scratch.histograms[which];
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, extent), [&](const int k) {
      const std::uint64_t key = keys(k);
      if (cut.leading_of(key) == cut.leading)
        Kokkos::atomic_inc(&histogram(static_cast<int>((key - cut.least) >> shift & ((1U << width) - 1))));
    });
    scratch.clear(team, 1 - which);
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, 1),
                         [&](int) { find_digit(team, cut.ties, histogram, scratch.found); });
    team.team_barrier();
    cut = {cut.least, cut.leading << width | static_cast<std::uint64_t>(scratch.found(0)), shift, scratch.found(1)};
  }
  return cut;
}

}  // namespace Sward
