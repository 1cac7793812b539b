#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_FileLocal.hpp"
#include "Sward_RowSelection.hpp"
#include "Sward_SelectLargestKeys.hpp"

namespace Sward {

/// Selects the r rows with the largest norms, ties to the lower index; ρ = 1. Asynchronous on `space`; the norms never
/// leave the device.
///
/// A norm that is not finite counts as the largest, so that a gradient which overflowed shows in its projection.
/// Throws ExtentError, or std::invalid_argument for a rank outside 1 to m.
template <class ExecutionSpace, class Norms>
SWARD_FILE_LOCAL void select_top_rows(const ExecutionSpace& space, const Norms& norms,
                                      const SelectionWorkspace<ExecutionSpace>& workspace,
                                      const RowSelection<ExecutionSpace>& selection) {
  const char* const function = "Sward::select_top_rows";
  check_selection(function, norms, workspace, selection);
  select_largest_keys(
      function, space, workspace, selection, KOKKOS_LAMBDA(const int k) {
        const double norm = static_cast<double>(norms(k));
        return Kokkos::isfinite(norm) ? norm : Kokkos::Experimental::infinity_v<double>;
      });
}

}  // namespace Sward
