#pragma once

#include <Kokkos_Core.hpp>
#include <string>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_RotaryScaling.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// cosine(t, i) and sine(t, i) of the angle t * f(i) for positions t and pairs i, where f(i) is the frequency
/// theta^(-2i / head) after scaling; T x head/2 each. The angles are taken in double.
template <class ExecutionSpace, class Table>
SWARD_FILE_LOCAL void rotary_table(const ExecutionSpace& space, double theta, const RotaryScaling& scaling,
                                   const Table& cosine, const Table& sine) {
  static_assert(are_outputs<ExecutionSpace, Table>());
  static_assert(Table::rank() == 2, "Sward::rotary_table: the tables must be matrices");
  using Scalar = typename Table::non_const_value_type;
  require_extents("Sward::rotary_table", "sine", {sine.extent(0), sine.extent(1)},
                  {cosine.extent(0), cosine.extent(1)});
  require(theta > 0, "Sward::rotary_table", "theta must be positive");
  const int positions = static_cast<int>(cosine.extent(0));
  const int pairs = static_cast<int>(cosine.extent(1));
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  Kokkos::parallel_for(
      "Sward::rotary_table", row_policy(space, positions), KOKKOS_LAMBDA(const Member& team) {
        const int position = team.league_rank();
        for_each_chunk(team, pairs, [&](const int begin, const int end) {
          for (int i = begin; i < end; ++i) {
            const double frequency = Kokkos::pow(theta, -static_cast<double>(i) / pairs);
            const double angle = position * scale_frequency(scaling, frequency);
            cosine(position, i) = static_cast<Scalar>(Kokkos::cos(angle));
            sine(position, i) = static_cast<Scalar>(Kokkos::sin(angle));
          }
        });
      });
}

/// Turns N pairs (a, b) by the angles with these cosines and sines.
template <class Scalar, int N, class Angles>
KOKKOS_INLINE_FUNCTION void turn(Pack<Scalar, N>& a, Pack<Scalar, N>& b, const Angles& cosine, const Angles& sine) {
  Pack<Real<Scalar>, N> turned_a, turned_b;
  SWARD_UNROLL
  for (int e = 0; e < N; ++e) {
    const Real<Scalar> along = cosine[e];
    const Real<Scalar> across = sine[e];
    turned_a[e] = a[e] * along - b[e] * across;
    turned_b[e] = b[e] * along + a[e] * across;
  }
  a = convert_pack<Scalar>(turned_a);
  b = convert_pack<Scalar>(turned_b);
}

/// rotate_pairs in packs of N pairs; tokens have one thread each with its lanes, and a lane turns the same pack of
/// several heads by the same angles.
template <int N, class ExecutionSpace, class Table, class Values>
struct RotatePackedPairs {
  using Scalar = typename Values::non_const_value_type;
  using Angles = Pack<typename Table::non_const_value_type, N>;
  static constexpr int lanes = vector_lanes<ExecutionSpace>;
  static constexpr int team_size = runs_on_host<ExecutionSpace> ? 1 : 8;
  // So many teams of a multiprocessor are to find room for their registers.
  using Policy = Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<team_size * lanes, 3>>;
  using Team = typename Policy::member_type;
  static constexpr int heads_on_their_way = 2;

  Table cosine;
  Table sine;
  Values x;
  RealOf<Values> direction;
  int length, pairs, tokens, columns;
  int packs_at_once;  ///< of a head, by the lanes of a token
  int heads_at_once;

  RotatePackedPairs(const Table& cosines, const Table& sines, const Values& values, RealOf<Values> sign)
      : cosine(cosines),
        sine(sines),
        x(values),
        direction(sign),
        length(static_cast<int>(cosine.extent(0))),
        pairs(static_cast<int>(cosine.extent(1))),
        tokens(static_cast<int>(x.extent(0))),
        columns(static_cast<int>(x.extent(1))),
        packs_at_once(Kokkos::clamp(pairs / N, 1, lanes)),
        heads_at_once(lanes / packs_at_once) {}

  /// A thread a token.
  Policy policy(const ExecutionSpace& space) const {
    return Policy(space, (tokens + team_size - 1) / team_size, team_size, lanes);
  }

  KOKKOS_FUNCTION void operator()(const Team& team) const {
    const int token = team.league_rank() * team_size + team.team_rank();
    if (token >= tokens) return;
    const int position = token % length;
    Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, lanes), [&](const int lane) {
      if (lane / packs_at_once >= heads_at_once) return;
      for (int pair = lane % packs_at_once * N; pair < pairs; pair += packs_at_once * N) {
        auto across = load_pack<N>(&sine(position, pair));
        SWARD_UNROLL
        for (int e = 0; e < N; ++e) across[e] *= direction;
        turn_heads(token, lane / packs_at_once * 2 * pairs + pair, load_pack<N>(&cosine(position, pair)), across);
      }
    });
  }

  /// The pairs of a pack in this head, from `first` on, and in those that the lane has behind it.
  KOKKOS_FUNCTION void turn_heads(int token, int first, const Angles& along, const Angles& across) const {
    const int distance = heads_at_once * 2 * pairs;
    for (int begin = first; begin < columns; begin += heads_on_their_way * distance) {
      Pack<Scalar, N> a[heads_on_their_way] = {}, b[heads_on_their_way] = {};
      SWARD_UNROLL
      for (int k = 0; k < heads_on_their_way; ++k) {
        const int column = begin + k * distance;
        if (column >= columns) continue;
        a[k] = load_pack<N>(&x(token, column));
        b[k] = load_pack<N>(&x(token, column + pairs));
      }
      SWARD_UNROLL
      for (int k = 0; k < heads_on_their_way; ++k) {
        const int column = begin + k * distance;
        if (column >= columns) continue;
        turn(a[k], b[k], along, across);
        store_pack(a[k], &x(token, column));
        store_pack(b[k], &x(token, column + pairs));
      }
    }
  }
};

/// Starts RotatePackedPairs.
template <int N, class ExecutionSpace, class Table, class Values>
void rotate_packed_pairs(const char* label, const ExecutionSpace& space, const Table& cosine, const Table& sine,
                         const Values& x, RealOf<Values> direction) {
  const RotatePackedPairs<N, ExecutionSpace, Table, Values> kernel(cosine, sine, x, direction);
  Kokkos::parallel_for(label, kernel.policy(space), kernel);
}

/// Turns every pair (x_i, x_{i + head/2}) of every head by `direction` times the angle of the token's position.
template <class ExecutionSpace, class Table, class Values>
SWARD_FILE_LOCAL void rotate_pairs(const char* label, const ExecutionSpace& space, const Table& cosine,
                                   const Table& sine, int heads, const Values& x, RealOf<Values> direction) {
  static_assert(are_inputs<ExecutionSpace, Table>() && are_outputs<ExecutionSpace, Values>());
  static_assert(Table::rank() == 2 && Values::rank() == 2, "Sward::rotary_embedding: the operands must be matrices");
  using Scalar = typename Values::non_const_value_type;
  const int pairs = static_cast<int>(cosine.extent(1));
  const int length = static_cast<int>(cosine.extent(0));
  const int tokens = static_cast<int>(x.extent(0));
  require_extents(label, "sine", {sine.extent(0), sine.extent(1)}, {cosine.extent(0), cosine.extent(1)});
  require(heads > 0, label, "the number of heads is " + std::to_string(heads) + ", wanted 1 or more");
  require_extents(label, "x", {x.extent(0), x.extent(1)},
                  {x.extent(0), static_cast<std::size_t>(heads) * 2 * cosine.extent(1)});
  require(length > 0 || tokens == 0, label, "the tables have no positions");
  if constexpr (runs_on_host<ExecutionSpace>) {
    using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
    Kokkos::parallel_for(
        label, row_policy(space, tokens), KOKKOS_LAMBDA(const Member& team) {
          const int token = team.league_rank();
          const int position = token % length;
          Kokkos::parallel_for(Kokkos::TeamThreadRange(team, heads), [&](const int head) {
            const int first = head * 2 * pairs;
            const int second = first + pairs;
            SWARD_INDEPENDENT_ITERATIONS
            for (int i = 0; i < pairs; ++i) {
              const Real<Scalar> c = cosine(position, i);
              const Real<Scalar> s = direction * sine(position, i);
              const Real<Scalar> a = x(token, first + i);
              const Real<Scalar> b = x(token, second + i);
              x(token, first + i) = static_cast<Scalar>(a * c - b * s);
              x(token, second + i) = static_cast<Scalar>(b * c + a * s);
            }
          });
        });
  } else {
    constexpr int N = pack_size<Scalar>;
    const bool packable = is_packable<N>(x) && is_packable<N>(cosine) && is_packable<N>(sine);
    packable ? rotate_packed_pairs<N>(label, space, cosine, sine, x, direction)
             : rotate_packed_pairs<1>(label, space, cosine, sine, x, direction);
  }
}

/// Rotary position embedding in place, in the convention of Hugging Face's LLaMA: the two halves of a head form the
/// pairs. x is b x heads * head_size; a token's position is its row modulo T, the rows of the tables.
/// Source: Su et al., "RoFormer", arXiv 2104.09864.
template <class ExecutionSpace, class Table, class Values>
void rotary_embedding(const ExecutionSpace& space, const Table& cosine, const Table& sine, int heads, const Values& x) {
  rotate_pairs("Sward::rotary_embedding", space, cosine, sine, heads, x, 1);
}

/// Gradient of rotary_embedding with respect to its input, in place: the rotation backwards.
template <class ExecutionSpace, class Table, class Values>
void rotary_embedding_backward(const ExecutionSpace& space, const Table& cosine, const Table& sine, int heads,
                               const Values& gradient) {
  rotate_pairs("Sward::rotary_embedding_backward", space, cosine, sine, heads, gradient, -1);
}

}  // namespace Sward
