#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>

#include "Sward_MpiCommunicator.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  const Sward::MpiEnvironment mpi(argc, argv);
  const Kokkos::ScopeGuard kokkos(argc, argv);
  return RUN_ALL_TESTS();
}
