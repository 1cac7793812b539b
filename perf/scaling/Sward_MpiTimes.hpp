#pragma once

namespace Sward::Perf {

/// Seconds that this rank has spent inside MPI's calls for vectors, which are counted on their way to MPI.
struct MpiTimes {
  double waiting = 0.0;  ///< in MPI_Wait: nothing else is computed
  double moving = 0.0;   ///< in MPI_Iallreduce and MPI_Test, which copy and add what has come, and return
};

/// The times since they were last set to zero.
MpiTimes& mpi_times();

}  // namespace Sward::Perf
