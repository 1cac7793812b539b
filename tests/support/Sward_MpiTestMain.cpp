#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstdlib>

#include "Sward_MpiCommunicator.hpp"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  // Open MPI's search for a cluster's networks would take longer than most tests. What is set already stays.
  ::setenv("OMPI_MCA_pml", "ob1", 0);
  const Sward::MpiEnvironment mpi(argc, argv);
  const Kokkos::ScopeGuard kokkos(argc, argv);
  return RUN_ALL_TESTS();
}
