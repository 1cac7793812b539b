#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "Sward_RandomViews.hpp"

namespace Sward::Test {

/// Norms of rows, mixed: ordinary ones, some of them equal, and of 64 each 8 of zero, 8 tiny, 8 huge, 1 NaN and
/// 1 infinite.
inline std::vector<double> norms_of_all_kinds(std::size_t extent) {
  UniformNumbers next(extent, 0.1, 2);
  std::vector<double> norms(extent);
  for (std::size_t k = 0; k < extent; ++k) {
    norms[k] = next();
    if (k % 2 == 1) norms[k] = 1.5;
    if (k % 8 == 4) norms[k] = 0;
    if (k % 8 == 2) norms[k] = 1e-300 * next();
    if (k % 8 == 3) norms[k] = 1e200 * next();
    if (k % 64 == 5) norms[k] = std::numeric_limits<double>::quiet_NaN();
    if (k % 64 == 38) norms[k] = std::numeric_limits<double>::infinity();
  }
  return norms;
}

}  // namespace Sward::Test
