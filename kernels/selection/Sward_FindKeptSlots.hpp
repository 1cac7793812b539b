#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"

namespace Sward {

/// source(s) becomes the slot of `before` that holds the number rows(s), or -1 where none does. All are vectors of r;
/// both lists ascend, and `rows` has no number twice. Asynchronous on `space`. Throws ExtentError when the extents
/// differ.
template <class ExecutionSpace, class Before, class Rows, class Source>
SWARD_FILE_LOCAL void find_kept_slots(const ExecutionSpace& space, const Before& before, const Rows& rows,
                                      const Source& source) {
  static_assert(is_number_list<ExecutionSpace, Before>() && is_number_list<ExecutionSpace, Rows>());
  static_assert(is_number_list<ExecutionSpace, Source>() && is_written<ExecutionSpace, Source>());
  static_assert(Before::rank() == 1 && Rows::rank() == 1 && Source::rank() == 1,
                "Sward::find_kept_slots: the operands must be vectors");
  const char* const function = "Sward::find_kept_slots";
  require_extents(function, "rows", {rows.extent(0)}, {before.extent(0)});
  require_extents(function, "source", {source.extent(0)}, {before.extent(0)});
  const int slots = static_cast<int>(before.extent(0));
  Kokkos::parallel_for(
      function, Kokkos::RangePolicy<ExecutionSpace>(space, 0, slots), KOKKOS_LAMBDA(const int s) {
        int begin = 0;
        for (int end = slots; begin < end;) {
          const int middle = (begin + end) / 2;
          if (before(middle) < rows(s))
            begin = middle + 1;
          else
            end = middle;
        }
        source(s) = begin < slots && before(begin) == rows(s) ? begin : -1;
      });
}

}  // namespace Sward
