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

/// The part of embedding_backward behind the sorting, for GPUs: teams have a slice of the columns in packs of N and as
/// many places as a thread has lanes. A thread adds a token's gradients alone unless there are more of them than that;
/// then all threads of the team have their share.
template <int N, class ExecutionSpace, class Sorted, class OutputGradient, class TableGradient>
SWARD_FILE_LOCAL void add_sorted_gradients(const ExecutionSpace& space, const Sorted& sorted,
                                           const OutputGradient& output_gradient, const TableGradient& table_gradient) {
  using Scalar = typename TableGradient::non_const_value_type;
  using Value = Real<Scalar>;
  constexpr int lanes = vector_lanes<ExecutionSpace>;
  constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : 8;
  constexpr int window = 32;
  const int places = static_cast<int>(output_gradient.extent(0));
  const int columns = static_cast<int>(output_gradient.extent(1));
  const int slices = (columns + N * lanes - 1) / (N * lanes);
  using Policy = Kokkos::TeamPolicy<ExecutionSpace>;
  using Parts = Kokkos::View<Value* [lanes][N], Kokkos::LayoutRight, typename ExecutionSpace::scratch_memory_space,
                             Kokkos::MemoryUnmanaged>;
  Policy policy(space, (places + window - 1) / window * slices, team_size, lanes);
  policy.set_scratch_size(0, Kokkos::PerTeam(Parts::shmem_size(team_size)));
  Kokkos::parallel_for(
      "Sward::embedding_backward", policy, KOKKOS_LAMBDA(const typename Policy::member_type& team) {
        const Parts parts(team.team_scratch(0), team_size);
        const int slice = team.league_rank() % slices;
        const int first = team.league_rank() / slices * window;
        const int thread = team.team_rank();
        // Adds every `step`-th gradient of a token, in order, to `sums`.
        const auto add = [&](const int begin, const int end, const int step, const int column, Pack<Value, N>& sums) {
          for (int place = begin; place < end; place += step) {
            const auto gradient = load_pack<N>(&output_gradient(sorted.order(place), column));
            SWARD_UNROLL
            for (int e = 0; e < N; ++e) sums[e] += static_cast<Value>(gradient[e]);
          }
        };
        int longest = 0;
        for (int place = first + thread; place < first + window; place += team_size) {
          const auto mine = sorted.places_from(place);
          if (mine.second - mine.first > window || mine.second == mine.first) continue;
          const int token = sorted.tokens(sorted.order(place));
          Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
            const int column = (slice * lanes + lane) * N;
            if (column >= columns) return;
            auto sums = convert_pack<Value>(load_pack<N>(&table_gradient(token, column)));
            add(mine.first, mine.second, 1, column, sums);
            store_pack(convert_pack<Scalar>(sums), &table_gradient(token, column));
          });
        }
        // No more than one token with more places than the window can begin in it.
        Kokkos::parallel_reduce(
            Kokkos::ThreadVectorRange(team, window),
            [&](const int k, int& place) {
              const auto some = sorted.places_from(first + k);
              if (some.second - some.first > window) place = first + k + 1;
            },
            Kokkos::Max<int>(longest));
        if (longest <= 0) return;
        const auto shared = sorted.places_from(longest - 1);
        const int token = sorted.tokens(sorted.order(shared.first));
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
          const int column = (slice * lanes + lane) * N;
          Pack<Value, N> sums = {};
          if (column < columns) add(shared.first + thread, shared.second, team_size, column, sums);
          SWARD_UNROLL
          for (int e = 0; e < N; ++e) parts(thread, lane, e) = sums[e];
        });
        team.team_barrier();
        if (thread > 0) return;
        Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
          const int column = (slice * lanes + lane) * N;
          if (column >= columns) return;
          auto sums = convert_pack<Value>(load_pack<N>(&table_gradient(token, column)));
          for (int t = 0; t < team_size; ++t)
            for (int e = 0; e < N; ++e) sums[e] += parts(t, lane, e);
          store_pack(convert_pack<Scalar>(sums), &table_gradient(token, column));
        });
      });
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
