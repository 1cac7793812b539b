#pragma once

#include <Kokkos_Core.hpp>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_Real.hpp"

// What kernels take as operands, as sentences of the compiler in place of pages: each kernel asks first, before it uses
// anything of its arguments' types.

namespace Sward {

/// The type of a view's elements, without const. Of anything else double: it stands in signatures, where an error would
/// leave a caller without a sentence.
template <class View>
struct ElementsOf {
  using type = double;
};
/// Those of a view.
template <class View>
requires Kokkos::is_view_v<View>
struct ElementsOf<View> {
  using type = typename View::non_const_value_type;
};
template <class View>
using ElementOf = typename ElementsOf<View>::type;
template <class View>
using RealOf = Real<ElementOf<View>>;

template <class T>
inline constexpr bool is_computed_with =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, BFloat16>;

/// Whether a view's rows are next to each other in memory but for a distance that they all have, as those of any row
/// and column range of a row-major matrix; vectors are contiguous.
template <class... View>
inline constexpr bool are_row_major = (std::is_same_v<typename View::array_layout, Kokkos::LayoutRight> && ...);

/// A view of any elements in memory that the execution space reaches; refuses others with a sentence, as do all below.
template <class ExecutionSpace, class View>
constexpr bool is_operand() {
  static_assert(Kokkos::is_execution_space_v<ExecutionSpace>,
                "Sward: the first argument must be an instance of a Kokkos execution space");
  static_assert(Kokkos::is_view_v<View>, "Sward: operands must be of type Kokkos::View");
  static_assert(Kokkos::SpaceAccessibility<ExecutionSpace, typename View::memory_space>::accessible,
                "Sward: the execution space must reach the memory of all operands");
  return true;
}

/// An operand that is not const.
template <class ExecutionSpace, class View>
constexpr bool is_written() {
  static_assert(is_operand<ExecutionSpace, View>());
  static_assert(!std::is_const_v<typename View::value_type>, "Sward: outputs must not be const");
  return true;
}

/// An operand of float, double or BFloat16.
template <class ExecutionSpace, class View>
constexpr bool is_input() {
  static_assert(is_operand<ExecutionSpace, View>());
  static_assert(is_computed_with<typename View::non_const_value_type>,
                "Sward: elements must be float, double or BFloat16");
  return true;
}

/// An input that is not const.
template <class ExecutionSpace, class View>
constexpr bool is_output() {
  static_assert(is_written<ExecutionSpace, View>());
  static_assert(is_input<ExecutionSpace, View>());
  return true;
}

/// An operand of int.
template <class ExecutionSpace, class View>
constexpr bool is_number_list() {
  static_assert(is_operand<ExecutionSpace, View>());
  static_assert(std::is_same_v<typename View::non_const_value_type, int>,
                "Sward: tokens, targets and other numbers must be int");
  return true;
}

/// Views of any elements.
template <class ExecutionSpace, class... View>
constexpr bool are_operands() {
  return (is_operand<ExecutionSpace, View>() && ...);
}

/// Views that a kernel reads and computes with.
template <class ExecutionSpace, class... View>
constexpr bool are_inputs() {
  return (is_input<ExecutionSpace, View>() && ...);
}

/// Views that it writes.
template <class ExecutionSpace, class... View>
constexpr bool are_outputs() {
  return (is_output<ExecutionSpace, View>() && ...);
}

}  // namespace Sward
