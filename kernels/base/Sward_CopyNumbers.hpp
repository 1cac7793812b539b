#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// Copies a vector of int. Asynchronous on `space`. Throws ExtentError when the extents differ.
template <class ExecutionSpace, class Source, class Target>
SWARD_FILE_LOCAL void copy_numbers(const ExecutionSpace& space, const Source& source, const Target& target) {
  static_assert(is_number_list<ExecutionSpace, Source>() && is_number_list<ExecutionSpace, Target>());
  static_assert(is_written<ExecutionSpace, Target>());
  static_assert(Source::rank() == 1 && Target::rank() == 1, "Sward::copy_numbers: the operands must be vectors");
  require_extents("Sward::copy_numbers", "target", {target.extent(0)}, {source.extent(0)});
  Kokkos::parallel_for(
      "Sward::copy_numbers", Kokkos::RangePolicy<ExecutionSpace>(space, 0, static_cast<int>(source.extent(0))),
      KOKKOS_LAMBDA(const int i) { target(i) = source(i); });
}

}  // namespace Sward
