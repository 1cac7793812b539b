#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <utility>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Fill.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Integers of workspace that embedding_backward needs.
inline std::size_t embedding_workspace_size(std::size_t tokens, std::size_t vocabulary) {
  return vocabulary + 1 + 2 * tokens;
}

/// The positions of a batch sorted by token, and by position for each token, in the workspace of embedding_backward.
template <class Tokens, class Workspace>
struct PositionsByToken {
  using View = decltype(Kokkos::subview(std::declval<Workspace>(), std::pair<std::size_t, std::size_t>()));
  Tokens tokens;
  View starts;    ///< first place in `order` of each token of the vocabulary, and of none
  View unsorted;  ///< as order, but a token's positions stand in any order
  View order;
  int vocabulary;

  PositionsByToken(const Tokens& tokens_of_batch, int vocabulary_size, const Workspace& workspace)
      : tokens(tokens_of_batch), vocabulary(vocabulary_size) {
    const std::size_t starts_end = static_cast<std::size_t>(vocabulary) + 1;
    const std::size_t unsorted_end = starts_end + tokens.extent(0);
    starts = Kokkos::subview(workspace, std::pair<std::size_t, std::size_t>(0, starts_end));
    unsorted = Kokkos::subview(workspace, std::pair<std::size_t, std::size_t>(starts_end, unsorted_end));
    order =
        Kokkos::subview(workspace, std::pair<std::size_t, std::size_t>(unsorted_end, unsorted_end + tokens.extent(0)));
  }

  /// Whether the token is of the vocabulary; others have no gradient.
  KOKKOS_INLINE_FUNCTION bool is_known(int token) const { return token >= 0 && token < vocabulary; }
  KOKKOS_INLINE_FUNCTION int count() const { return starts(vocabulary); }

  /// The places in `order` of the token that begins at `place`; empty if none does.
  KOKKOS_INLINE_FUNCTION Kokkos::pair<int, int> places_from(int place) const {
    if (place >= count()) return {0, 0};
    const int token = tokens(order(place));
    return starts(token) == place ? Kokkos::pair<int, int>(place, starts(token + 1)) : Kokkos::pair<int, int>(0, 0);
  }
};

/// Sorts by counting. Atomic counters make any order of a token's positions, and each position then finds its place by
/// counting those before it.
template <class ExecutionSpace, class Tokens, class Workspace>
SWARD_FILE_LOCAL PositionsByToken<Tokens, Workspace> sort_by_token(const ExecutionSpace& space, const Tokens& tokens,
                                                                   int vocabulary, const Workspace& workspace) {
  const PositionsByToken<Tokens, Workspace> sorted(tokens, vocabulary, workspace);
  using Range = Kokkos::RangePolicy<ExecutionSpace>;
  const int count = static_cast<int>(tokens.extent(0));
  fill(space, sorted.starts, 0);
  Kokkos::parallel_for(
      "Sward::embedding_backward::count", Range(space, 0, count), KOKKOS_LAMBDA(const int i) {
        if (sorted.is_known(tokens(i))) Kokkos::atomic_inc(&sorted.starts(tokens(i)));
      });
  Kokkos::parallel_scan(
      "Sward::embedding_backward::ends", Range(space, 0, vocabulary + 1),
      KOKKOS_LAMBDA(const int token, int& end, const bool last) {
        end += sorted.starts(token);
        if (last) sorted.starts(token) = end;
      });
  Kokkos::parallel_for(
      "Sward::embedding_backward::place", Range(space, 0, count), KOKKOS_LAMBDA(const int i) {
        if (sorted.is_known(tokens(i))) sorted.unsorted(Kokkos::atomic_fetch_sub(&sorted.starts(tokens(i)), 1) - 1) = i;
      });
  Kokkos::parallel_for(
      "Sward::embedding_backward::order", Range(space, 0, count), KOKKOS_LAMBDA(const int place) {
        if (place >= sorted.count()) return;
        const int position = sorted.unsorted(place);
        const int begin = sorted.starts(tokens(position));
        const int end = sorted.starts(tokens(position) + 1);
        int before = 0;
        for (int other = begin; other < end; ++other) before += sorted.unsorted(other) < position ? 1 : 0;
        sorted.order(begin + before) = position;
      });
  return sorted;
}

/// The part of embedding_backward behind the sorting, for GPUs: teams have a slice of the columns in packs of N and a
/// window of places. A thread adds a token's gradients alone unless there are more of them than places in a window;
/// then all threads of the team have their share.
template <int N, class ExecutionSpace, class Sorted, class OutputGradient, class TableGradient>
struct AddSortedGradients {
  using Scalar = typename TableGradient::non_const_value_type;
  using Value = Real<Scalar>;
  using Sums = Pack<Value, N>;
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  using Team = typename Policy::member_type;
  using Places = Kokkos::pair<int, int>;
  static constexpr int lanes = vector_lanes<ExecutionSpace>;
  static constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : 8;
  static constexpr int window = 32;
  /// What each thread has of the sums that all share.
  using Parts = Kokkos::View<Value* [lanes][N], Kokkos::LayoutRight, typename ExecutionSpace::scratch_memory_space,
                             Kokkos::MemoryUnmanaged>;

  Sorted sorted;
  OutputGradient output_gradient;
  TableGradient table_gradient;

  KOKKOS_FUNCTION int columns() const { return static_cast<int>(output_gradient.extent(1)); }
  KOKKOS_FUNCTION int slices() const { return (columns() + N * lanes - 1) / (N * lanes); }

  /// A team for each window of each slice.
  Policy policy(const ExecutionSpace& space) const {
    const int windows = (static_cast<int>(output_gradient.extent(0)) + window - 1) / window;
    Policy result(space, windows * slices(), team_size, lanes);
    return result.set_scratch_size(0, Kokkos::PerTeam(Parts::shmem_size(team_size)));
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const int slice = team.league_rank() % slices();
    const int first = team.league_rank() / slices() * window;
    for (int place = first + team.team_rank(); place < first + window; place += team_size) {
      const Places mine = sorted.places_from(place);
      if (mine.first < mine.second && mine.second - mine.first <= window) add_alone(team, slice, mine);
    }
    const Places shared = longer_than_window(team, first);
    if (shared.first < shared.second) add_together(team, slice, shared);
  }

  /// No more than one token with more places than the window can begin in it.
  KOKKOS_FUNCTION Places longer_than_window(const Team& team, int first) const {
    int end_of_found = 0;
    Kokkos::parallel_reduce(
        Kokkos::ThreadVectorRange(team, window),
        [&](const int k, int& found) {
          const Places some = sorted.places_from(first + k);
          if (some.second - some.first > window) found = first + k + 1;
        },
        Kokkos::Max<int>(end_of_found));
    return end_of_found > 0 ? sorted.places_from(end_of_found - 1) : Places(0, 0);
  }

  /// What this thread does for a token.
  KOKKOS_FUNCTION void add_alone(const Team& team, int slice, const Places& places) const {
    for_each_column(team, slice, [&](int, const int column) {
      auto sums = load_sums(places, column);
      add(places.first, places.second, 1, column, sums);
      store_sums(places, column, sums);
    });
  }

  /// What all threads do for one.
  KOKKOS_FUNCTION void add_together(const Team& team, int slice, const Places& places) const {
    const Parts parts(team.team_scratch(0), team_size);
    const int thread = team.team_rank();
    for_each_column(team, slice, [&](const int lane, const int column) {
      Sums sums = {};
      add(places.first + thread, places.second, team_size, column, sums);
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) parts(thread, lane, e) = sums[e];
    });
    team.team_barrier();
    if (thread > 0) return;
    for_each_column(team, slice, [&](const int lane, const int column) {
      auto sums = load_sums(places, column);
      for (int t = 0; t < team_size; ++t)
        for (int e = 0; e < N; ++e) sums[e] += parts(t, lane, e);
      store_sums(places, column, sums);
    });
  }

  /// Calls function(lane, first column of its pack) by the lanes of a thread.
  template <class Function>
  KOKKOS_FUNCTION void for_each_column(const Team& team, int slice, const Function& function) const {
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
      const int column = (slice * lanes + lane) * N;
      if (column < columns()) function(lane, column);
    });
  }

  /// Adds every `step`-th gradient of a token, in order, to `sums`.
  KOKKOS_FUNCTION void add(int begin, int end, int step, int column, Sums& sums) const {
    for (int place = begin; place < end; place += step) {
      const auto gradient = load_pack<N>(&output_gradient(sorted.order(place), column));
      SWARD_UNROLL
      for (int e = 0; e < N; ++e) sums[e] += static_cast<Value>(gradient[e]);
    }
  }

  /// Of the gradient of the token that has these places.
  KOKKOS_FUNCTION Scalar* element(const Places& places, int column) const {
    return &table_gradient(sorted.tokens(sorted.order(places.first)), column);
  }
  /// The pack that begins there.
  KOKKOS_FUNCTION Sums load_sums(const Places& places, int column) const {
    return convert_pack<Value>(load_pack<N>(element(places, column)));
  }
  /// Writes it.
  KOKKOS_FUNCTION void store_sums(const Places& places, int column, const Sums& sums) const {
    store_pack(convert_pack<Scalar>(sums), element(places, column));
  }
};

/// Starts AddSortedGradients.
template <int N, class ExecutionSpace, class Sorted, class OutputGradient, class TableGradient>
void add_sorted_gradients(const ExecutionSpace& space, const Sorted& sorted, const OutputGradient& output_gradient,
                          const TableGradient& table_gradient) {
  const AddSortedGradients<N, ExecutionSpace, Sorted, OutputGradient, TableGradient> kernel{sorted, output_gradient,
                                                                                            table_gradient};
  Kokkos::parallel_for("Sward::embedding_backward", kernel.policy(space), kernel);
}

/// Gradient of embedding: table_gradient(tokens(i), :) += output_gradient(i, :) for every i. Tokens outside the
/// vocabulary are passed over. workspace has embedding_workspace_size(b, vocabulary) integers. The order of each sum is
/// fixed: that of i on hosts; on GPUs that of i too up to 32 times a token, and then of i modulo 8.
template <class ExecutionSpace, class Tokens, class OutputGradient, class Workspace, class TableGradient>
SWARD_FILE_LOCAL void embedding_backward(const ExecutionSpace& space, const Tokens& tokens,
                                         const OutputGradient& output_gradient, const Workspace& workspace,
                                         const TableGradient& table_gradient) {
  static_assert(is_number_list<ExecutionSpace, Tokens>() && are_inputs<ExecutionSpace, OutputGradient>() &&
                is_number_list<ExecutionSpace, Workspace>() && is_written<ExecutionSpace, Workspace>() &&
                are_outputs<ExecutionSpace, TableGradient>());
  static_assert(
      TableGradient::rank() == 2 && Tokens::rank() == 1 && OutputGradient::rank() == 2 && Workspace::rank() == 1,
      "Sward::embedding_backward: the gradients must be matrices, tokens and workspace vectors");
  const char* const function = "Sward::embedding_backward";
  require_extents(function, "output_gradient", {output_gradient.extent(0), output_gradient.extent(1)},
                  {tokens.extent(0), table_gradient.extent(1)});
  require_extents(function, "workspace", {workspace.extent(0)},
                  {embedding_workspace_size(tokens.extent(0), table_gradient.extent(0))});
  const auto sorted = sort_by_token(space, tokens, static_cast<int>(table_gradient.extent(0)), workspace);
  if constexpr (runs_on_host<ExecutionSpace>) {
    using Scalar = typename TableGradient::non_const_value_type;
    const int columns = static_cast<int>(output_gradient.extent(1));
    using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
    Kokkos::parallel_for(
        function, row_policy(space, static_cast<int>(tokens.extent(0))), KOKKOS_LAMBDA(const Member& team) {
          const auto places = sorted.places_from(team.league_rank());
          if (places.first == places.second) return;
          const int token = sorted.tokens(sorted.order(places.first));
          for_each_chunk(team, columns, [&](const int left, const int right) {
            for (int place = places.first; place < places.second; ++place) {
              const int i = sorted.order(place);
              SWARD_INDEPENDENT_ITERATIONS
              for (int j = left; j < right; ++j)
                table_gradient(token, j) = static_cast<Scalar>(table_gradient(token, j) + output_gradient(i, j));
            }
          });
        });
  } else {
    constexpr int N = std::max(pack_size<typename OutputGradient::non_const_value_type>,
                               pack_size<typename TableGradient::non_const_value_type>);
    const bool packable = is_packable<N>(output_gradient) && is_packable<N>(table_gradient);
    packable ? add_sorted_gradients<N>(space, sorted, output_gradient, table_gradient)
             : add_sorted_gradients<1>(space, sorted, output_gradient, table_gradient);
  }
}

}  // namespace Sward
