#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Pack.hpp"
#include "Sward_SingleTeam.hpp"

namespace Sward {

/// A double as an integer: larger numbers are larger integers, and both zeros are one. Not for NaN.
KOKKOS_INLINE_FUNCTION std::uint64_t ordered_bits(double value) {
  constexpr std::uint64_t sign = std::uint64_t(1) << 63;
  const auto bits = Kokkos::bit_cast<std::uint64_t>(value + 0.0);
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

/// Divides the largest r keys from the others: they are those above `last`, and the first `ties` of those from `first`
/// to `last`.
struct KeyCut {
  std::uint64_t first;
  std::uint64_t last;
  int ties;

  /// Whether the key may be a tie.
  KOKKOS_INLINE_FUNCTION bool holds(std::uint64_t key) const { return first <= key && key <= last; }
};

/// How often each value of a digit occurs, in scratch of a team. Neighbouring lanes count through runs of neighbouring
/// digits, whose places are an odd number of words apart so that these lanes meet in no bank of memory.
template <class ExecutionSpace>
struct DigitCounts {
  static constexpr int digit_bits = 9;
  static constexpr int digits = 1 << digit_bits;
  static constexpr int run = digits / 32;  // a warp of lanes
  static constexpr int places = digits / run * (run + 1);

  using List = ScratchVector<ExecutionSpace, int>;
  List list;

  template <class Team>
  KOKKOS_INLINE_FUNCTION explicit DigitCounts(const Team& team) : list(team.team_scratch(0), places) {}
  /// Of scratch that a team needs.
  static std::size_t bytes() { return List::shmem_size(places); }
  /// How often a digit, from 0 to digits - 1, occurs.
  KOKKOS_INLINE_FUNCTION int& of(int digit) const { return list(digit + digit / run); }
};

/// Scratch of a team that looks for the cut.
template <class ExecutionSpace>
struct CutScratch {
  using Counts = DigitCounts<ExecutionSpace>;
  using List = typename Counts::List;

  Counts counts;
  Counts next_counts;
  List found;  ///< the digit of the cut, the ties, and the keys with that digit

  template <class Team>
  KOKKOS_INLINE_FUNCTION explicit CutScratch(const Team& team)
      : counts(team), next_counts(team), found(team.team_scratch(0), 3) {}
  /// Of scratch that a team needs.
  static std::size_t bytes() { return 2 * Counts::bytes() + List::shmem_size(3); }
};

/// Counts the keys above the digit of the cut down from the largest, and writes what it finds. Called by one thread of
/// a team with its lanes.
template <class Team, class Counts, class List>
KOKKOS_INLINE_FUNCTION void find_digit(const Team& team, int ties, const Counts& counts, const List& found) {
  constexpr int run = Counts::run;
  constexpr int runs = Counts::digits / run;
  Kokkos::parallel_scan(Kokkos::ThreadVectorRange(team, runs), [&](const int i, int& above, const bool is_final) {
    const int largest = Counts::digits - i * run - 1;
    int here[run];
    int sum = 0;
    SWARD_UNROLL
    for (int j = 0; j < run; ++j) {
      here[j] = counts.of(largest - j);
      sum += here[j];
    }
    if (is_final && above < ties && ties <= above + sum) {
      int before = above;
      SWARD_UNROLL
      for (int j = 0; j < run; ++j) {
        if (before < ties && ties <= before + here[j]) {
          found(0) = largest - j;
          found(1) = ties - before;
          found(2) = here[j];
        }
        before += here[j];
      }
    }
    above += sum;
  });
}

/// From the first to the last key, both included.
struct KeyRange {
  std::uint64_t first;
  std::uint64_t last;
};

/// The cut between the largest `rank` keys and the others, digit by digit. Distances from the first key use all values
/// of the first digit, which the keys themselves would not: two digits mostly do. Called by the whole team, with its
/// first counts cleared.
template <class Team, class Keys, class Scratch>
KOKKOS_INLINE_FUNCTION KeyCut find_cut(const Team& team, const Keys& keys, const KeyRange& range, int rank,
                                       const Scratch& scratch) {
  const int extent = static_cast<int>(keys.extent(0));
  KeyCut cut{range.first, range.last, rank};
  auto counts = scratch.counts;
  auto next_counts = scratch.next_counts;
  int bits = 64 - Kokkos::countl_zero(range.last - range.first);
  for (int inside = extent; bits > 0 && inside > cut.ties; inside = scratch.found(2)) {
    const int shift = bits > counts.digit_bits ? bits - counts.digit_bits : 0;
    team_for(
        team, extent, [&](const int k) { return keys(k); },
        [&](int, const std::uint64_t key) {
          if (cut.holds(key)) Kokkos::atomic_inc(&counts.of(static_cast<int>((key - cut.first) >> shift)));
        });
    team_clear(team, next_counts.list);
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, 1),
                         [&](int) { find_digit(team, cut.ties, counts, scratch.found); });
    team.team_barrier();
    cut.first += static_cast<std::uint64_t>(scratch.found(0)) << shift;
    // The last digit may go on beyond the last key.
    cut.last = cut.first + Kokkos::min(cut.last - cut.first, (std::uint64_t(1) << shift) - 1);
    cut.ties = scratch.found(1);
    bits = shift;
    Kokkos::kokkos_swap(counts, next_counts);
  }
  return cut;
}

}  // namespace Sward
