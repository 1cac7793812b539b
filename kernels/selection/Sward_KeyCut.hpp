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

/// Divides the largest r keys from the others: they are those whose distance from a least number, without its last
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

  List histogram;  ///< of the digits
  List found;      ///< the digit of the cut, the ties, and the keys with that digit

  template <class Team>
  KOKKOS_INLINE_FUNCTION explicit CutScratch(const Team& team)
      : histogram(team.team_scratch(0), KeyCut::digits), found(team.team_scratch(0), 3) {}
  /// For the first digit. Called by the whole team, which needs a barrier then.
  template <class Team>
  KOKKOS_INLINE_FUNCTION void clear(const Team& team) const {
    const int digits = KeyCut::digits;
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, digits), [&](const int digit) { histogram(digit) = 0; });
  }
  /// Of scratch that a team needs.
  static std::size_t bytes() { return List::shmem_size(KeyCut::digits) + List::shmem_size(3); }
};

/// Counts the keys above the digit of the cut down from the largest, writes what it finds, and clears the histogram.
/// Called by one thread of a team with its lanes.
template <class Team, class Scratch>
KOKKOS_INLINE_FUNCTION void find_digit(const Team& team, int ties, const Scratch& scratch) {
  constexpr int parts = 32;
  constexpr int share = KeyCut::digits / parts;
  Kokkos::parallel_scan(Kokkos::ThreadVectorRange(team, parts), [&](const int part, int& above, const bool is_final) {
    const int largest = KeyCut::digits - part * share - 1;
    // All are read before one is written, or each load would wait for the store before it.
    int counts[share];
    SWARD_UNROLL
    for (int i = 0; i < share; ++i) counts[i] = scratch.histogram(largest - i);
    SWARD_UNROLL
    for (int i = 0; i < share; ++i) {
      if (is_final && above < ties && ties <= above + counts[i]) {
        scratch.found(0) = largest - i;
        scratch.found(1) = ties - above;
        scratch.found(2) = counts[i];
      }
      if (is_final) scratch.histogram(largest - i) = 0;
      above += counts[i];
    }
  });
}

/// The upper halves of the least and the largest key. They tell numbers apart to 2^-20, and whole keys would be twice
/// as much for the threads to exchange.
using KeyRange = Kokkos::MinMaxScalar<std::uint32_t>;

/// The cut between the largest `rank` keys and the others, digit by digit. Distances from the least key use all values
/// of the first digit, which the keys themselves would not: two or three digits do. Called by the whole team, with a
/// histogram of zeros.
template <class Team, class Keys, class Scratch>
KOKKOS_INLINE_FUNCTION KeyCut find_cut(const Team& team, const Keys& keys, const KeyRange& range, int rank,
                                       const Scratch& scratch) {
  const int extent = static_cast<int>(keys.extent(0));
  KeyCut cut{std::uint64_t(range.min_val) << 32, 0, 64 - Kokkos::countl_zero(range.max_val - range.min_val), rank};
  for (int inside = extent; cut.shift > 0 && inside > cut.ties; inside = scratch.found(2)) {
    const int width = cut.shift < KeyCut::digit_bits ? cut.shift : KeyCut::digit_bits;
    const int shift = cut.shift - width;
    Kokkos::parallel_for(Kokkos::TeamVectorRange(team, extent), [&](const int k) {
      const std::uint64_t key = keys(k);
      if (cut.leading_of(key) == cut.leading)
        Kokkos::atomic_inc(&scratch.histogram(static_cast<int>((key - cut.least) >> shift & ((1U << width) - 1))));
    });
    team.team_barrier();
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, 1), [&](int) { find_digit(team, cut.ties, scratch); });
    team.team_barrier();
    cut = {cut.least, cut.leading << width | static_cast<std::uint64_t>(scratch.found(0)), shift, scratch.found(1)};
  }
  return cut;
}

}  // namespace Sward
