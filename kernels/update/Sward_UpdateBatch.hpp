#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>

#include "Sward_RowUpdate.hpp"

namespace Sward {

/// Updates of several matrices that are launched together.
template <class Update, int capacity>
struct UpdateBatch {
  int count = 0;
  Update updates[capacity];

  bool is_full() const { return count == capacity; }
  void add(const Update& update) { updates[count++] = update; }
};

/// As many updates as the arguments of a launch take, which are 4 KB.
template <class Update>
inline constexpr int updates_of_a_launch = static_cast<int>(3840 / (sizeof(Update) + 2 * sizeof(int)));

/// Which rows of which matrix each team of a launch takes; none of the matrices that are updated by the other side.
template <int capacity>
struct TeamShares {
  int threads = 1;  ///< of a team
  int teams = 0;
  int ends[capacity];  ///< the team after the last one of each matrix
  int rows[capacity];  ///< of a team

  /// A team takes so many rows that each of its threads has a block.
  template <class ExecutionSpace, class Update>
  TeamShares(const ExecutionSpace&, const UpdateBatch<Update, capacity>& batch, Side side) {
    for (int i = 0; i < batch.count; ++i)
      if (batch.updates[i].side() == side)
        threads = std::max(threads, block_threads<ExecutionSpace>(batch.updates[i].columns()));
    for (int i = 0; i < batch.count; ++i) {
      rows[i] = std::max(1, threads / std::max(1, blocks_of(batch.updates[i].columns())));
      if (batch.updates[i].side() == side) teams += (batch.updates[i].rows() + rows[i] - 1) / rows[i];
      ends[i] = teams;
    }
  }

  KOKKOS_INLINE_FUNCTION int matrix_of(int team) const {
    int matrix = 0;
    while (team >= ends[matrix]) ++matrix;
    return matrix;
  }

  KOKKOS_INLINE_FUNCTION int first_row(int matrix, int team) const {
    return (team - (matrix == 0 ? 0 : ends[matrix - 1])) * rows[matrix];
  }
};

/// Launches the updates by one side.
template <Side side, class ExecutionSpace, class Update, int capacity>
void launch_updates_of_side(const char* label, const ExecutionSpace& space,
                            const UpdateBatch<Update, capacity>& batch) {
  const TeamShares<capacity> shares(space, batch, side);
  if (shares.teams == 0) return;
  std::size_t bytes = 0;
  for (int i = 0; i < batch.count; ++i) bytes = std::max(bytes, batch.updates[i].scratch_bytes(shares.rows[i]));
  auto policy = block_policy(space, shares.teams, shares.threads);
  using Policy = decltype(policy);
  // The near memory of a team holds some 8,000 steps; Kokkos keeps far memory for a rank beyond that.
  const int level = bytes <= static_cast<std::size_t>(Policy::scratch_size_max(0)) ? 0 : 1;
  if (side == Side::columns) policy.set_scratch_size(level, Kokkos::PerTeam(bytes));
  Kokkos::parallel_for(
      label, policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const int matrix = shares.matrix_of(team.league_rank());
        const int first = shares.first_row(matrix, team.league_rank());
        batch.updates[matrix].template update<side>(team, level, first, shares.rows[matrix]);
      });
}

/// Launches all updates of a batch: one launch for those by rows and one for those by columns, whose kernels need other
/// numbers of registers. Asynchronous on `space`.
template <class ExecutionSpace, class Update, int capacity>
void launch_updates(const char* label, const ExecutionSpace& space, const UpdateBatch<Update, capacity>& batch) {
  static_assert(capacity <= updates_of_a_launch<Update>,
                "Sward: the updates do not fit into the arguments of a launch");
  launch_updates_of_side<Side::rows>(label, space, batch);
  launch_updates_of_side<Side::columns>(label, space, batch);
}

}  // namespace Sward
