#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_Check.hpp"
#include "Sward_FileLocal.hpp"
#include "Sward_Operands.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward {

/// What a slot has goes where its row has gone: A[s] = A[source(s)], or 0 where that is negative. Slots are the rows or
/// the columns of A, r of them, in place; the sources that are not negative ascend, as those of find_kept_slots do. A
/// may be of any numbers. Asynchronous on `space`. Throws ExtentError when the extents do not fit.
template <class ExecutionSpace, class Source, class Values>
SWARD_FILE_LOCAL void move_slots(const ExecutionSpace& space, Side side, const Source& source, const Values& values) {
  static_assert(is_number_list<ExecutionSpace, Source>() && is_written<ExecutionSpace, Values>());
  static_assert(Source::rank() == 1 && Values::rank() == 2, "Sward::move_slots: source must be a vector, A a matrix");
  using Element = typename Values::non_const_value_type;
  const char* const function = "Sward::move_slots";
  const bool by_rows = side == Side::rows;
  const int slots = static_cast<int>(source.extent(0));
  require_extents(function, "the slots", {values.extent(by_rows ? 0 : 1)}, {source.extent(0)});
  Kokkos::parallel_for(
      function, Kokkos::RangePolicy<ExecutionSpace>(space, 0, static_cast<int>(values.extent(by_rows ? 1 : 0))),
      KOKKOS_LAMBDA(const int k) {
        const auto at = [&](const int slot) -> Element& { return by_rows ? values(slot, k) : values(k, slot); };
        // Down from the lowest, then up from the highest: sources ascend, so none is overwritten before it is read.
        for (int s = 0; s < slots; ++s)
          if (source(s) > s) at(s) = at(source(s));
        for (int s = slots - 1; s >= 0; --s)
          if (source(s) >= 0 && source(s) < s) at(s) = at(source(s));
        for (int s = 0; s < slots; ++s)
          if (source(s) < 0) at(s) = Element(0.0F);
      });
}

}  // namespace Sward
