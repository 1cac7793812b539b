#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_Float8.hpp"
#include "Sward_Views.hpp"

namespace Sward::Test {

/// The extents of a view, without its strides.
template <class View>
Kokkos::LayoutRight extents_layout(const View& view) {
  if constexpr (View::rank() == 1) return Kokkos::LayoutRight(view.extent(0));
  return Kokkos::LayoutRight(view.extent(0), view.extent(1));
}

/// Whether the host may read and write the elements. Where it may, they are copied one by one: Kokkos::deep_copy is
/// some seconds of compile time for each pair of types.
template <class View>
constexpr bool is_on_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename View::memory_space>::accessible;

/// Memory that holds nothing yet.
template <class View, class... Extents>
View allocate(Extents... extents) {
  return View(Kokkos::view_alloc("test", Kokkos::WithoutInitializing), extents...);
}

/// Calls visit(element indices...) for each element of a vector or matrix.
template <class View, class Visit>
void for_each_element(const View& view, const Visit& visit) {
  static_assert(View::rank() == 1 || View::rank() == 2, "Sward::Test: vectors and matrices alone");
  for (std::size_t i = 0; i < view.extent(0); ++i) {
    if constexpr (View::rank() == 1) {
      visit(i);
    } else {
      for (std::size_t j = 0; j < view.extent(1); ++j) visit(i, j);
    }
  }
}

/// A copy on the host, in rows without padding; waits for all work.
template <class View>
auto to_host(const View& view) {
  Kokkos::fence("Sward::Test::to_host");
  using Data = typename View::non_const_data_type;
  const auto host = allocate<Kokkos::View<Data, Kokkos::LayoutRight, Kokkos::HostSpace>>(extents_layout(view));
  if constexpr (is_on_host<View>) {
    for_each_element(view, [&](auto... at) { host(at...) = view(at...); });
  } else {
    // Between two memories Kokkos copies contiguous views only, and a mirror of one that is not has its stride.
    const auto packed =
        allocate<Kokkos::View<Data, Kokkos::LayoutRight, typename View::memory_space>>(extents_layout(view));
    Kokkos::deep_copy(packed, view);
    Kokkos::deep_copy(host, packed);
  }
  return host;
}

/// Sets the elements of a new view to value(element indices...), evaluated on the host.
template <class View, class Value>
void set_elements(const View& view, const Value& value) {
  using Scalar = typename View::value_type;
  if constexpr (is_on_host<View>) {
    for_each_element(view, [&](auto... at) { view(at...) = static_cast<Scalar>(value(at...)); });
  } else {
    const auto host = Kokkos::create_mirror_view(view);
    for_each_element(host, [&](auto... at) { host(at...) = static_cast<Scalar>(value(at...)); });
    Kokkos::deep_copy(view, host);
  }
}

/// A matrix whose element (i, j) is value(i, j), evaluated on the host.
template <class Scalar, class ExecutionSpace, class Value>
Matrix<Scalar, ExecutionSpace> make_matrix(std::size_t rows, std::size_t columns, const Value& value) {
  const auto matrix = allocate<Matrix<Scalar, ExecutionSpace>>(rows, columns);
  set_elements(matrix, value);
  return matrix;
}

/// A vector whose element i is value(i), evaluated on the host.
template <class Scalar, class ExecutionSpace, class Value>
Vector<Scalar, ExecutionSpace> make_vector(std::size_t extent, const Value& value) {
  const auto vector = allocate<Vector<Scalar, ExecutionSpace>>(extent);
  set_elements(vector, value);
  return vector;
}

/// Uniform numbers in (low, high), a function of the seed alone.
class UniformNumbers {
 public:
  UniformNumbers(std::uint64_t seed, double low, double high) : engine_(seed), low_(low), high_(high) {}
  double operator()() { return low_ + (high_ - low_) * (static_cast<double>(engine_() >> 11) + 0.5) * 0x1p-53; }

 private:
  std::mt19937_64 engine_;
  double low_;
  double high_;
};

template <class Scalar, class ExecutionSpace>
Matrix<Scalar, ExecutionSpace> random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed,
                                             double low = -1.0, double high = 1.0) {
  UniformNumbers next(seed, low, high);
  return make_matrix<Scalar, ExecutionSpace>(rows, columns, [&](std::size_t, std::size_t) { return next(); });
}

template <class Scalar, class ExecutionSpace>
Vector<Scalar, ExecutionSpace> random_vector(std::size_t extent, std::uint64_t seed, double low = -1.0,
                                             double high = 1.0) {
  UniformNumbers next(seed, low, high);
  return make_vector<Scalar, ExecutionSpace>(extent, [&](std::size_t) { return next(); });
}

/// What an output holds before a kernel runs, so that an element left unwritten shows.
template <class Scalar>
Scalar poison() {
  if constexpr (std::is_floating_point_v<Scalar>) return std::numeric_limits<Scalar>::quiet_NaN();
  if constexpr (std::is_same_v<Scalar, BFloat16>) return BFloat16(std::numeric_limits<float>::quiet_NaN());
  if constexpr (std::is_same_v<Scalar, Float8>) return Float8(std::numeric_limits<float>::quiet_NaN());
  return std::numeric_limits<Scalar>::min();
}

template <class Scalar, class ExecutionSpace>
Matrix<Scalar, ExecutionSpace> poisoned_matrix(std::size_t rows, std::size_t columns) {
  return make_matrix<Scalar, ExecutionSpace>(rows, columns, [](std::size_t, std::size_t) { return poison<Scalar>(); });
}

template <class Scalar, class ExecutionSpace>
Vector<Scalar, ExecutionSpace> poisoned_vector(std::size_t extent) {
  return make_vector<Scalar, ExecutionSpace>(extent, [](std::size_t) { return poison<Scalar>(); });
}

}  // namespace Sward::Test
