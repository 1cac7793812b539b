#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_FileLocal.hpp"
#include "Sward_PartSums.hpp"

namespace Sward {

/// squares(p) = the sum of the squares of the elements of part p, in double and in an order that is always the same.
/// `partials` is workspace of part_sums_workspace elements. Asynchronous on `space`. Throws ExtentError when the
/// extents do not fit together.
template <class ExecutionSpace, class Values, class Partials, class Squares>
SWARD_FILE_LOCAL void squared_norms(const ExecutionSpace& space, const Values& values, const VectorParts& parts,
                                    const Partials& partials, const Squares& squares) {
  part_sums(
      "Sward::squared_norms", space, values, parts, partials, squares,
      KOKKOS_LAMBDA(const double value) { return value * value; });
}

}  // namespace Sward
