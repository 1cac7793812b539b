#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <cstdio>

#include "Sward_GrassOptimizer.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_NormalValues.hpp"

using Space = Kokkos::DefaultExecutionSpace;
using Matrix = Kokkos::View<float**, Kokkos::LayoutRight, Space>;

constexpr int outputs = 24, inputs = 40, tokens = 16;

std::int64_t train(MPI_Comm callers) {
  const Space space;
  const Matrix weight("W", outputs, inputs), output_gradient("dY", tokens, outputs), input("X", tokens, inputs);
  Sward::Communicator<Sward::MpiSpace> group(callers);
  Sward::GrassOptimizerOptions options;
  options.grass.rank = 6;
  Sward::GrassOptimizer<float> optimizer(space, {{.name = "w", .weight = weight}}, tokens, options, &group);

  const auto rank = static_cast<std::uint64_t>(group.rank());
  for (std::uint64_t step = 0; step < 5; ++step) {
    Sward::normal_values(space, {.seed = 1 + rank, .step = step, .matrix = 0}, 1.0, output_gradient);
    Sward::normal_values(space, {.seed = 1 + rank, .step = step, .matrix = 1}, 1.0, input);
    optimizer.begin_update(space, 1e-3);
    optimizer.accept_factors(0, output_gradient, input);  // G = dYᵀX, of which 6 rows are formed, sent and applied
    optimizer.update();
  }
  space.fence();
  return optimizer.updates();
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  std::int64_t updates = 0;
  {
    const Kokkos::ScopeGuard kokkos(argc, argv);
    MPI_Comm half = MPI_COMM_NULL;  // the even and the odd ranks, each a run of its own
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    updates = train(half);
    MPI_Comm_free(&half);
  }
  MPI_Finalize();
  std::printf("%d updates\n", static_cast<int>(updates));
  return updates == 5 ? 0 : 1;
}
