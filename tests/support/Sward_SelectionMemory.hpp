#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "Sward_RandomViews.hpp"
#include "Sward_RowSelection.hpp"

namespace Sward::Test {

/// The memory that a selection and its workspace look at, poisoned.
template <class Space>
struct SelectionMemory {
  Vector<int, Space> rows;
  Vector<float, Space> scale;
  Vector<std::uint64_t, Space> keys;
  Vector<int, Space> counts;
  Side side;

  SelectionMemory(std::size_t extent, std::size_t rank, Side selected_side = Side::rows)
      : rows(poisoned_vector<int, Space>(rank)),
        scale(poisoned_vector<float, Space>(rank)),
        keys(poisoned_vector<std::uint64_t, Space>(extent)),
        counts(poisoned_vector<int, Space>(extent)),
        side(selected_side) {}

  RowSelection<Space> selection() const { return {rows, scale, static_cast<int>(keys.extent(0)), side}; }
  SelectionWorkspace<Space> workspace() const { return {keys, counts}; }
};

/// A copy on the host of a vector.
template <class View>
auto to_list(const View& view) {
  const auto host = to_host(view);
  return std::vector<typename View::non_const_value_type>(host.data(), host.data() + host.extent(0));
}

template <class Scalar, class Space>
Vector<Scalar, Space> from_list(const std::vector<Scalar>& values) {
  return make_vector<Scalar, Space>(values.size(), [&](std::size_t i) { return values[i]; });
}

/// A selection with the given rows and factors.
template <class Space>
SelectionMemory<Space> given_selection(const std::vector<int>& rows, const std::vector<float>& scale,
                                       std::size_t extent, Side side) {
  SelectionMemory<Space> memory(extent, rows.size(), side);
  memory.rows = from_list<int, Space>(rows);
  memory.scale = from_list<float, Space>(scale);
  return memory;
}

}  // namespace Sward::Test
