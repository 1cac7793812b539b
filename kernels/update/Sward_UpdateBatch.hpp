#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_RowUpdate.hpp"

namespace Sward {

/// Updates of several matrices that are launched together.
template <class Update, int capacity>
struct UpdateBatch {
  int count = 0;
  Update updates[capacity];

  bool is_full() const { return count == capacity; }
  /// Throws std::invalid_argument when the batch is full.
  void add(const Update& update) {
    require(!is_full(), "Sward::UpdateBatch", "no more than " + std::to_string(capacity) + " updates can be added");
    updates[count++] = update;
  }
};

/// As many updates as the arguments of a launch take, which are 4 KB.
template <class Update>
inline constexpr int updates_of_a_launch = static_cast<int>(3840 / (sizeof(Update) + 2 * sizeof(int)));

/// Which rows of which matrix each team of a launch takes.
template <int capacity>
struct TeamShares {
  int threads;  ///< of a team
  int teams = 0;
  int ends[capacity];  ///< the team after the last one of each matrix; beyond the matrices, one that there is not
  int rows[capacity];  ///< of a team

  /// A team takes so many rows that each of its threads has two blocks.
  template <class ExecutionSpace, class Update>
  TeamShares(const ExecutionSpace&, const UpdateBatch<Update, capacity>& batch)
      : threads(runs_on_host<ExecutionSpace> ? 1 : 4) {
    for (int i = 0; i < capacity; ++i) {
      ends[i] = std::numeric_limits<int>::max();
      if (i >= batch.count) continue;
      rows[i] = std::max(1, 2 * threads / std::max(1, blocks_of(batch.updates[i].columns())));
      ends[i] = teams += (batch.updates[i].rows() + rows[i] - 1) / rows[i];
    }
  }

  /// Which matrix a team works on.
  KOKKOS_INLINE_FUNCTION int matrix_of(int team) const {
    int matrix = 0;
    SWARD_UNROLL
    for (int i = 0; i < capacity; ++i) matrix += team >= ends[i] ? 1 : 0;
    return matrix;
  }

  /// The first of its rows there.
  KOKKOS_INLINE_FUNCTION int first_row(int matrix, int team) const {
    return (team - (matrix == 0 ? 0 : ends[matrix - 1])) * rows[matrix];
  }
};

/// Launches all updates of a batch at once. Asynchronous on `space`.
template <class ExecutionSpace, class Update, int capacity>
SWARD_FILE_LOCAL void launch_updates(const char* label, const ExecutionSpace& space,
                                     const UpdateBatch<Update, capacity>& batch) {
  static_assert(capacity <= updates_of_a_launch<Update>,
                "Sward: the updates do not fit into the arguments of a launch");
  const TeamShares<capacity> shares(space, batch);
  if (shares.teams == 0) return;
  std::size_t bytes = 0;
  for (int i = 0; i < batch.count; ++i) bytes = std::max(bytes, batch.updates[i].scratch_bytes(shares.rows[i]));
  auto policy = block_policy(space, shares.teams, shares.threads);
  using Policy = decltype(policy);
  // The near memory of a team holds some 6,000 steps; Kokkos keeps far memory for a rank beyond that.
  const int level = bytes <= static_cast<std::size_t>(Policy::scratch_size_max(0)) ? 0 : 1;
  if (bytes > 0) policy.set_scratch_size(level, Kokkos::PerTeam(bytes));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int matrix = shares.matrix_of(team.league_rank());
        const int first = shares.first_row(matrix, team.league_rank());
        batch.updates[matrix].update(team, level, first, shares.rows[matrix]);
      });
}

}  // namespace Sward
