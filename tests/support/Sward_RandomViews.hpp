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

/// A copy on the host, in rows without padding; waits for all work.
template <class View>
auto to_host(const View& view) {
  Kokkos::fence("Sward::Test::to_host");
  // Between two memories Kokkos copies contiguous views only, and a mirror of one that is not has its stride.
  static_assert(View::rank() <= 2, "Sward::Test::to_host: vectors and matrices alone");
  const Kokkos::View<typename View::non_const_data_type, Kokkos::LayoutRight, typename View::memory_space> packed(
      "packed", extents_layout(view));
  Kokkos::deep_copy(packed, view);
  return Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, packed);
}

/// A matrix whose element (i, j) is value(i, j), evaluated on the host.
template <class Scalar, class ExecutionSpace, class Value>
Matrix<Scalar, ExecutionSpace> make_matrix(std::size_t rows, std::size_t columns, const Value& value) {
  Matrix<Scalar, ExecutionSpace> matrix("matrix", rows, columns);
  const auto host = Kokkos::create_mirror_view(matrix);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) host(i, j) = static_cast<Scalar>(value(i, j));
  Kokkos::deep_copy(matrix, host);
  return matrix;
}

/// A vector whose element i is value(i), evaluated on the host.
template <class Scalar, class ExecutionSpace, class Value>
Vector<Scalar, ExecutionSpace> make_vector(std::size_t extent, const Value& value) {
  Vector<Scalar, ExecutionSpace> vector("vector", extent);
  const auto host = Kokkos::create_mirror_view(vector);
  for (std::size_t i = 0; i < extent; ++i) host(i) = static_cast<Scalar>(value(i));
  Kokkos::deep_copy(vector, host);
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
