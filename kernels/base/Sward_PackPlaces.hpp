#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <string>

#include "Sward_Check.hpp"
#include "Sward_Pack.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// The packs of N elements of a matrix, dealt to the threads of a league in the order in which they lie in memory. A
/// thread has `count` of them, one team apart, so that it can start all its loads before it needs the first.
template <int N, int count>
class PackPlaces {
 public:
  /// Teams for all packs of a rows x columns matrix; columns must be a multiple of N.
  template <class ExecutionSpace>
  static Kokkos::TeamPolicy<ExecutionSpace> policy(const ExecutionSpace& space, int rows, int columns) {
    constexpr int threads = runs_on_host<ExecutionSpace> ? 1 : 256;
    const std::uint64_t packs = static_cast<std::uint64_t>(rows) * static_cast<std::uint64_t>(columns / N);
    constexpr std::uint64_t packs_of_team = std::uint64_t{threads} * count;
    require(packs < UINT32_MAX - packs_of_team, "Sward::PackPlaces",
            "a matrix of " + std::to_string(packs) + " packs is more than 32 bits count");
    return Kokkos::TeamPolicy<ExecutionSpace>(space, static_cast<int>((packs + packs_of_team - 1) / packs_of_team),
                                              threads);
  }

  template <class Team>
  KOKKOS_INLINE_FUNCTION PackPlaces(const Team& team, int rows, int columns)
      : packs_(static_cast<std::uint32_t>(columns / N)),
        end_(static_cast<std::uint32_t>(rows) * packs_),
        first_(static_cast<std::uint32_t>(team.league_rank()) * count * static_cast<std::uint32_t>(team.team_size()) +
               static_cast<std::uint32_t>(team.team_rank())),
        step_(static_cast<std::uint32_t>(team.team_size())) {}

  /// Of this thread's pack k, 0 to count - 1: whether there is one, its row, and its first column.
  KOKKOS_INLINE_FUNCTION bool exists(int k) const { return at(k) < end_; }
  KOKKOS_INLINE_FUNCTION int row(int k) const { return static_cast<int>(at(k) / packs_); }
  KOKKOS_INLINE_FUNCTION int column(int k) const { return static_cast<int>(at(k) % packs_) * N; }

 private:
  KOKKOS_INLINE_FUNCTION std::uint32_t at(int k) const { return first_ + static_cast<std::uint32_t>(k) * step_; }

  std::uint32_t packs_, end_, first_, step_;
};

}  // namespace Sward
