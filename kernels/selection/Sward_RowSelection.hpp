#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>

#include "Sward_Check.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// The dimension of a weight matrix that is selected from: its rows (outputs) or its columns (inputs).
enum class Side { rows, columns };

/// How rows are chosen. Sampling is with q proportional to the norm, to its square, or uniform; without replacement
/// unless the name says so.
enum class Selection {
  top_r,
  norm,
  norm_squared,
  uniform,
  norm_replacement,
  norm_squared_replacement,
  uniform_replacement
};

/// Whether a row can be drawn several times.
inline bool draws_with_replacement(Selection selection) {
  return selection == Selection::norm_replacement || selection == Selection::norm_squared_replacement ||
         selection == Selection::uniform_replacement;
}

/// r selected rows (or columns) of a matrix, on the device: Pᵀ = ρB, where B picks `rows` and ρ is the diagonal
/// `scale`. The numbers ascend; a row drawn twice stands in two neighbouring slots.
template <class ExecutionSpace>
struct RowSelection {
  template <class T>
  using List = Kokkos::View<T*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  List<int> rows;     ///< r numbers below `extent`
  List<float> scale;  ///< r factors ρ on the steps of the selected rows
  int extent = 0;     ///< the dimension selected from
  Side side = Side::rows;

  KOKKOS_FUNCTION int rank() const { return static_cast<int>(rows.extent(0)); }
};

/// Scratch of select_top_rows and sample_rows for one matrix; m is the dimension selected from.
template <class ExecutionSpace>
struct SelectionWorkspace {
  template <class T>
  using List = typename RowSelection<ExecutionSpace>::template List<T>;

  List<std::uint64_t> keys;  ///< m
  List<int> counts;          ///< m
};

/// An operand of float or double, the types of norms whatever they are of.
template <class ExecutionSpace, class Norms>
constexpr bool are_norms() {
  static_assert(is_operand<ExecutionSpace, Norms>());
  static_assert(std::is_floating_point_v<typename Norms::non_const_value_type>, "Sward: norms must be float or double");
  return true;
}

/// Throws unless norms, workspace and selection belong to the same matrix and 1 <= r <= m.
template <class ExecutionSpace, class Norms>
void check_selection(const char* function, const Norms& norms, const SelectionWorkspace<ExecutionSpace>& workspace,
                     const RowSelection<ExecutionSpace>& selection) {
  static_assert(are_norms<ExecutionSpace, Norms>());
  static_assert(Norms::rank() == 1, "Sward: norms must be a vector");
  const auto extent = static_cast<std::size_t>(selection.extent);
  const std::size_t rank = selection.rows.extent(0);
  require_extents(function, "norms", {norms.extent(0)}, {extent});
  require_extents(function, "selection.scale", {selection.scale.extent(0)}, {rank});
  require_extents(function, "workspace", {workspace.keys.extent(0), workspace.counts.extent(0)}, {extent, extent});
  require(rank >= 1 && rank <= extent, function,
          "the rank is " + std::to_string(rank) + ", wanted 1 to " + std::to_string(extent));
}

}  // namespace Sward
