#pragma once

#include <cstddef>

#include "Sward_ColumnSlice.hpp"
#include "Sward_RandomViews.hpp"

namespace Sward::Test {

/// Memory for a slice of every `step`th column, some of them twice.
template <class Scalar, class Space>
struct OwnedSlice {
  Vector<int, Space> columns;
  Matrix<Scalar, Space> values;

  OwnedSlice(std::size_t rows, std::size_t extent, std::size_t step)
      : columns(make_vector<int, Space>(
            (extent + step - 1) / step,
            [=](std::size_t s) { return static_cast<int>(s % 5 == 1 ? s - 1 : s) * static_cast<int>(step); })),
        values(poisoned_matrix<Scalar, Space>(rows, columns.extent(0))) {}
  ColumnSlice<Space, Scalar> slice() const { return {columns, values}; }
  /// What it is to hold of a matrix.
  template <class Whole>
  auto expected(const Whole& whole) const {
    const auto numbers = to_host(columns);
    const auto from = to_host(whole);
    return make_matrix<Scalar, Kokkos::HostSpace>(values.extent(0), values.extent(1),
                                                  [&](std::size_t i, std::size_t s) { return from(i, numbers(s)); });
  }
};

}  // namespace Sward::Test
