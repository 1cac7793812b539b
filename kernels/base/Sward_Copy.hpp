#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_CopyRows.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// Copies a matrix into another of the same extents in the same memory. Asynchronous on `space`; unlike
/// Kokkos::deep_copy it carries our label. Throws ExtentError when the extents differ.
template <class ExecutionSpace, class Source, class Target>
SWARD_FILE_LOCAL void copy(const ExecutionSpace& space, const Source& source, const Target& target) {
  static_assert(are_inputs<ExecutionSpace, Source>() && are_outputs<ExecutionSpace, Target>());
  static_assert(Source::rank() == 2 && Target::rank() == 2, "Sward::copy: source and target must be matrices");
  require_extents("Sward::copy", "target", {target.extent(0), target.extent(1)}, {source.extent(0), source.extent(1)});
  copy_rows(
      "Sward::copy", space, source, KOKKOS_LAMBDA(const int row) { return row; }, target);
}

}  // namespace Sward
