#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cstddef>
#include <vector>

namespace Sward {

/// The rows of a matrix with the padding between them, which makes it contiguous; any other view itself.
template <class View>
auto with_padding(const View& view) {
  if constexpr (View::rank() == 2) {
    using Whole = Kokkos::View<typename View::data_type, Kokkos::LayoutRight, typename View::device_type,
                               Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
    return Whole(view.data(), view.extent(0), view.stride(0));
  } else {
    return view;
  }
}

/// A view's elements on the host, row-major without padding; on hosts the view itself where it has none, because a copy
/// of the embedding would be the highest point of a run's memory. Waits for `space`.
template <class ExecutionSpace, class View>
auto to_host(const ExecutionSpace& space, const View& view) {
  using Host = Kokkos::View<typename View::non_const_data_type, Kokkos::LayoutRight, Kokkos::HostSpace>;
  space.fence("Sward::to_host");
  Host whole = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, with_padding(view));
  if constexpr (View::rank() == 2) {
    if (view.stride(0) != view.extent(1)) {
      Host dense(Kokkos::view_alloc(Kokkos::WithoutInitializing, "Sward::to_host"), view.extent(0), view.extent(1));
      for (std::size_t i = 0; i < view.extent(0); ++i)
        std::copy_n(whole.data() + i * whole.extent(1), view.extent(1), dense.data() + i * dense.extent(1));
      return dense;
    }
  }
  return whole;
}

/// Copies row-major elements to a view, converted to its type; padding between its rows becomes 0. Waits for `space`.
template <class T, class ExecutionSpace, class View>
void to_device(const ExecutionSpace& space, const std::vector<T>& values, const View& view) {
  using Element = typename View::non_const_value_type;
  const auto whole = with_padding(view);
  const auto host = Kokkos::create_mirror_view(whole);
  const std::size_t columns = view.extent(View::rank() - 1);
  const std::size_t stride = whole.extent(View::rank() - 1);
  for (std::size_t begin = 0, target = 0; begin < values.size(); begin += columns, target += stride) {
    for (std::size_t j = 0; j < columns; ++j) host.data()[target + j] = static_cast<Element>(values[begin + j]);
    if (stride > columns) std::fill_n(host.data() + target + columns, stride - columns, Element(0.0F));
  }
  Kokkos::deep_copy(space, whole, host);
  space.fence("Sward::to_device");
}

}  // namespace Sward
