#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <type_traits>

#include "Sward_LaunchArguments.hpp"
#include "Sward_Pack.hpp"
#include "Sward_Real.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Rows are worked on in blocks of so many elements; the last one of a row may be shorter.
inline constexpr int block_extent = 256;

/// Blocks of a row of so many elements.
KOKKOS_INLINE_FUNCTION constexpr int blocks_of(int columns) { return (columns + block_extent - 1) / block_extent; }

/// How a block is spread over the vector lanes of one thread: eight elements a lane on GPUs, so that a lane moves 16
/// bytes or more at once and one call for random bits serves it; one lane on hosts, whose loop then vectorizes.
template <class ExecutionSpace>
struct BlockLanes {
  static constexpr int count = runs_on_host<ExecutionSpace> ? 1 : 32;
  static constexpr int width = block_extent / count;
};

/// Threads of a team that works on the blocks of a row. No sum is taken over such a team, so that its size may follow
/// the columns.
template <class ExecutionSpace>
int block_threads(int columns) {
  return runs_on_host<ExecutionSpace> ? 1 : std::clamp(blocks_of(columns), 1, 4);
}

/// A policy of teams of so many threads, each with its lanes; on GPUs with so many registers a lane that enough teams
/// run at once to hide what each waits for.
template <class ExecutionSpace>
auto block_policy(const ExecutionSpace& space, int teams, int threads) {
  return as_launch_arguments(Kokkos::TeamPolicy<ExecutionSpace, Kokkos::LaunchBounds<128, 6>>(
      space, teams, threads, BlockLanes<ExecutionSpace>::count));
}

/// Elements [begin, begin + count) of a row: what one lane works on.
struct LanePiece {
  int row;
  int begin;
  int count;
};

/// Calls function(block) for the blocks of a row, spread over the threads of a team.
template <class Team, class Function>
KOKKOS_INLINE_FUNCTION void for_each_block(const Team& team, int columns, const Function& function) {
  Kokkos::parallel_for(Kokkos::TeamThreadRange(team, blocks_of(columns)), function);
}

/// What a lane has of a block of a row; beyond the row's end a count of 0.
template <class Team>
KOKKOS_INLINE_FUNCTION LanePiece lane_piece(const Team&, int row, int block, int columns, int lane) {
  constexpr int width = BlockLanes<typename Team::execution_space>::width;
  const int begin = block * block_extent + lane * width;
  const int left = columns > begin ? columns - begin : 0;
  return {row, begin, left < width ? left : width};
}

/// Calls function(piece) once for each lane of a thread. Lanes do not wait for each other, as they would at the end of
/// Kokkos' loop over them, which divides integers to find out for whom, and which is left to backends that do not tell
/// the lane. What is for a GPU is never called on a host, whose compiler need not look for what it leaves unset.
template <class Team, class Function>
KOKKOS_INLINE_FUNCTION void for_each_lane(const Team& team, int row, int block, int columns, const Function& function) {
#if defined(KOKKOS_ENABLE_CUDA) || defined(KOKKOS_ENABLE_HIP)
  KOKKOS_IF_ON_DEVICE((function(lane_piece(team, row, block, columns, static_cast<int>(threadIdx.x)));))
#else
  KOKKOS_IF_ON_DEVICE(
      (Kokkos::parallel_for(Kokkos::ThreadVectorRange(team, BlockLanes<typename Team::execution_space>::count),
                            [&](const int lane) { function(lane_piece(team, row, block, columns, lane)); });))
#endif
  if constexpr (runs_on_host<typename Team::execution_space>) {
    KOKKOS_IF_ON_HOST((function(lane_piece(team, row, block, columns, 0));))
  }
}

/// Calls function(k) for k in [0, count), count <= width. On GPUs unrolled, so that arrays indexed by k stay in
/// registers.
template <int width, class Function>
KOKKOS_INLINE_FUNCTION void for_each_element(int count, const Function& function) {
  // clang-format off
  KOKKOS_IF_ON_DEVICE((
    _Pragma("unroll")
    for (int k = 0; k < width; ++k)
      if (k < count) function(k);
  ))
  KOKKOS_IF_ON_HOST((
    SWARD_INDEPENDENT_ITERATIONS
    for (int k = 0; k < count; ++k) function(k);
  ))
  // clang-format on
}

/// The same to compute with what load_piece read: on GPUs with all `width` elements, zeros where the piece ends before,
/// since a condition on each costs more than its work.
template <int width, class Function>
KOKKOS_INLINE_FUNCTION void for_each_value([[maybe_unused]] int count, const Function& function) {
  // clang-format off
  KOKKOS_IF_ON_DEVICE((
    _Pragma("unroll")
    for (int k = 0; k < width; ++k) function(k);
  ))
  KOKKOS_IF_ON_HOST((for_each_element<width>(count, function);))
  // clang-format on
}

/// The sum of term(k) over the elements of a block, always in the same order; on GPUs for the thread's first lane
/// alone, with all `width` elements, as for_each_value.
template <class ExecutionSpace, class Value, class Term>
KOKKOS_INLINE_FUNCTION Value sum_of_block([[maybe_unused]] int count, const Term& term) {
  // clang-format off
  KOKKOS_IF_ON_DEVICE((
    constexpr int lanes = BlockLanes<ExecutionSpace>::count;
    Value sum = term(0);
    _Pragma("unroll")
    for (int k = 1; k < BlockLanes<ExecutionSpace>::width; ++k) sum += term(k);
    _Pragma("unroll")
    for (int distance = lanes / 2; distance > 0; distance /= 2) sum += Kokkos::shfl_down(sum, distance, lanes);
    return sum;
  ))
  KOKKOS_IF_ON_HOST((
    const auto plus = [](const Value a, const Value b) { return a + b; };
    return join_lanes<32>(0, count, Value(0), term, plus);
  ))
  // clang-format on
}

/// Whether lanes can move the rows of a matrix in packs.
template <class ExecutionSpace, class View>
bool moves_in_packs(const View& view) {
  return view.stride(1) == 1 && is_packable<BlockLanes<ExecutionSpace>::width>(view);
}

/// The address of the first element of a piece, and the distance to the next. Offsets from one address cost a GPU less
/// than the matrix's own indexing of every element.
template <class View>
struct PieceAddress {
  typename View::pointer_type first;
  std::size_t stride;

  KOKKOS_INLINE_FUNCTION PieceAddress(const View& view, const LanePiece& piece)
      : first(view.data() + static_cast<std::size_t>(piece.row) * view.stride(0) +
              static_cast<std::size_t>(piece.begin) * view.stride(1)),
        stride(view.stride(1)) {}
  KOKKOS_INLINE_FUNCTION auto& operator[](int k) const { return first[static_cast<std::size_t>(k) * stride]; }
};

/// Reads a piece of a matrix, on GPUs with zeros behind it. `in_packs` as moves_in_packs says; it matters on GPUs
/// alone.
template <int width, class View>
KOKKOS_INLINE_FUNCTION void load_piece(const View& view, const LanePiece& piece, [[maybe_unused]] bool in_packs,
                                       Pack<typename View::non_const_value_type, width>& elements) {
  // clang-format off
  KOKKOS_IF_ON_DEVICE((
    const PieceAddress<View> address(view, piece);
    if (in_packs && piece.count == width) {
      elements = load_pack<width>(address.first);
      return;
    }
    elements = {};
    for_each_element<width>(piece.count, [&](const int k) { elements[k] = address[k]; });
  ))
  KOKKOS_IF_ON_HOST((
    for_each_element<width>(piece.count, [&](const int k) { elements[k] = view(piece.row, piece.begin + k); });
  ))
  // clang-format on
}

/// Writes element(k), k = 0 to piece.count - 1, to a piece of a matrix.
template <int width, class View, class Element>
KOKKOS_INLINE_FUNCTION void store_piece(const View& view, const LanePiece& piece, [[maybe_unused]] bool in_packs,
                                        const Element& element) {
  // clang-format off
  KOKKOS_IF_ON_DEVICE((
    const PieceAddress<View> address(view, piece);
    if (in_packs && piece.count == width) {
      Pack<typename View::non_const_value_type, width> pack;
      _Pragma("unroll")
      for (int k = 0; k < width; ++k) pack[k] = element(k);
      store_pack<width>(pack, address.first);
      return;
    }
    for_each_element<width>(piece.count, [&](const int k) { address[k] = element(k); });
  ))
  KOKKOS_IF_ON_HOST((
    for_each_element<width>(piece.count, [&](const int k) { view(piece.row, piece.begin + k) = element(k); });
  ))
  // clang-format on
}

/// The values of one lane's piece of a matrix, to compute with: copies in Real of what is stored, or, on hosts and
/// where these are the same type, the elements themselves, so that one loop loads, computes and stores.
///
/// Copies are loaded as they are stored and converted by unpack(), before which all of a lane's loads are to be under
/// way: whatever touches an element waits for it.
template <class ExecutionSpace, class View>
class LaneValues {
  using Element = typename View::non_const_value_type;

 public:
  using Value = Real<Element>;
  static constexpr int width = BlockLanes<ExecutionSpace>::width;
  static constexpr bool converts = !std::is_same_v<Element, Value>;
  static constexpr bool in_place = runs_on_host<ExecutionSpace> && !converts;

  /// Before values are written and none is read. The view must outlive the work on the piece.
  KOKKOS_INLINE_FUNCTION void attach(const View& view, const LanePiece& piece) {
    if constexpr (in_place) {
      view_ = &view;
      piece_ = piece;
    }
  }

  /// Starts the loads of a piece. The view must outlive the work on it.
  KOKKOS_INLINE_FUNCTION void load(const View& view, const LanePiece& piece, bool in_packs) {
    if constexpr (in_place) {
      attach(view, piece);
    } else {
      load_piece(view, piece, in_packs, stored_);
      forget_conversions(stored_);
    }
  }

  /// Of a piece of `count` elements that was loaded.
  KOKKOS_INLINE_FUNCTION void unpack([[maybe_unused]] int count) {
    if constexpr (converts) {
      KOKKOS_IF_ON_DEVICE((values_ = convert_pack<Value>(stored_);))
      KOKKOS_IF_ON_HOST(
          (for_each_element<width>(count, [&](const int k) { values_[k] = static_cast<Value>(stored_[k]); });))
    }
  }

  KOKKOS_INLINE_FUNCTION decltype(auto) operator[](int k) {
    if constexpr (in_place) {
      return (*view_)(piece_.row, piece_.begin + k);
    } else if constexpr (converts) {
      return (values_[k]);
    } else {
      return (stored_[k]);
    }
  }

  /// Stores what round(k, value) makes of each copy.
  template <class Round>
  KOKKOS_INLINE_FUNCTION void store(const View& view, const LanePiece& piece, bool in_packs, const Round& round) {
    if constexpr (!in_place)
      store_piece<width>(view, piece, in_packs, [&](const int k) { return round(k, (*this)[k]); });
  }

 private:
  struct None {};
  const View* view_ = nullptr;
  LanePiece piece_ = {};
  std::conditional_t<in_place, None, Pack<Element, width>> stored_;
  std::conditional_t<converts, Pack<Value, width>, None> values_;
};

}  // namespace Sward
