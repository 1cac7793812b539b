#pragma once

#include <cstdint>

namespace Sward {

/// Columns of a matrix, whose numbers are in `columns` and ascend, next to each other in the rows of `values`.
template <class T>
struct WrittenColumns {
  const int* columns;
  T* values;
  std::int64_t stride;
  int count;  ///< 0: nothing is written
};

}  // namespace Sward
