#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "Sward_Float8Matrix.hpp"
#include "Sward_RandomViews.hpp"

namespace Sward::Test {

template <class Space>
using Quantized = Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>>;

template <class Space>
Quantized<Space> poisoned_quantized(std::size_t rows, std::size_t columns) {
  return {poisoned_matrix<Float8, Space>(rows, columns), poisoned_vector<float, Space>(rows)};
}

/// Codes and scales are the same, in bits: NaN may be wanted too.
template <class Codes>
void expect_same_codes(const Codes& got, const Codes& wanted) {
  const auto scale = to_host(got.scale), wanted_scale = to_host(wanted.scale);
  const auto codes = to_host(got.codes), wanted_codes = to_host(wanted.codes);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < codes.extent(0); ++i) {
    wrong += Kokkos::bit_cast<std::uint32_t>(scale(i)) == Kokkos::bit_cast<std::uint32_t>(wanted_scale(i)) ? 0 : 1;
    for (std::size_t j = 0; j < codes.extent(1); ++j) wrong += codes(i, j).bits() == wanted_codes(i, j).bits() ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0U) << codes.extent(0) << " x " << codes.extent(1);
}

}  // namespace Sward::Test
