#pragma once

#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <type_traits>

namespace Sward::Test {

/// The execution spaces that every kernel test runs on.
#if defined(KOKKOS_ENABLE_CUDA)
using TestSpaces = ::testing::Types<Kokkos::Serial, Kokkos::OpenMP, Kokkos::Cuda>;
#elif defined(KOKKOS_ENABLE_HIP)
using TestSpaces = ::testing::Types<Kokkos::Serial, Kokkos::HIP>;
#else
using TestSpaces = ::testing::Types<Kokkos::Serial, Kokkos::OpenMP>;
#endif

/// An instance that is not the default one, where there are resources for two: one thread cannot be shared out.
template <class Space>
Space other_instance() {
#ifdef KOKKOS_ENABLE_OPENMP
  if (std::is_same_v<Space, Kokkos::OpenMP> && Space().concurrency() < 2) return Space();
#endif
  return Kokkos::Experimental::partition_space(Space(), 1, 1)[1];
}

}  // namespace Sward::Test
