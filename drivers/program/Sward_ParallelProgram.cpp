#include <Kokkos_Core.hpp>
#include <chrono>
#include <thread>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_Program.hpp"

namespace Sward {

namespace {

/// Most errors are met by all ranks at once. The others leave the message to rank 0 for so long, and speak up only if
/// it has not ended the job by then.
constexpr std::chrono::seconds head_start_of_rank_0(3);

/// The ranks of a node take its devices in turn.
Kokkos::InitializationSettings kokkos_settings(int rank_on_node) {
  Kokkos::InitializationSettings settings;
  if (const int devices = Kokkos::num_devices(); devices > 0) settings.set_device_id(rank_on_node % devices);
  return settings;
}

void end_all_ranks(int status) {
  std::fflush(nullptr);
  MPI_Abort(MPI_COMM_WORLD, status);
}

}  // namespace

int run_parallel_program(const std::string& name, int argc, char** argv, const std::function<int()>& body) {
  return run_program(name, [&] {
    const MpiEnvironment mpi(argc, argv);
    const Kokkos::ScopeGuard kokkos(kokkos_settings(node_local_rank(MPI_COMM_WORLD)));
    int rank = 0;
    int size = 1;
    check_mpi(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
    check_mpi(MPI_Comm_size(MPI_COMM_WORLD, &size), "MPI_Comm_size");
    const int status = run_program(name, [&] {
      try {
        return body();
      } catch (...) {
        if (rank > 0) std::this_thread::sleep_for(head_start_of_rank_0);
        throw;
      }
    });
    if (status != ExitStatus::finished && status != ExitStatus::stopped && size > 1) end_all_ranks(status);
    return status;
  });
}

}  // namespace Sward
