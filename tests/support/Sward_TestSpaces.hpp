#pragma once

#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>

namespace Sward::Test {

/// The execution spaces that every kernel test runs on.
#ifdef KOKKOS_ENABLE_CUDA
using TestSpaces = ::testing::Types<Kokkos::Serial, Kokkos::OpenMP, Kokkos::Cuda>;
#else
using TestSpaces = ::testing::Types<Kokkos::Serial, Kokkos::OpenMP>;
#endif

}  // namespace Sward::Test
