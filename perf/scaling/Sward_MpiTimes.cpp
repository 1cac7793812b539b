#include "Sward_MpiTimes.hpp"

#include <mpi.h>

#include <chrono>

namespace Sward::Perf {

namespace {

/// Adds the time from its construction to its end.
class AddedTime {
 public:
  explicit AddedTime(double& seconds) : seconds_(seconds) {}
  AddedTime(const AddedTime&) = delete;
  AddedTime& operator=(const AddedTime&) = delete;
  ~AddedTime() { seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(); }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace

MpiTimes& mpi_times() {
  static MpiTimes times;
  return times;
}

}  // namespace Sward::Perf

// The library's calls come here first, by MPI's profiling interface.

extern "C" int MPI_Wait(MPI_Request* request, MPI_Status* status) {
  const Sward::Perf::AddedTime time(Sward::Perf::mpi_times().waiting);
  return PMPI_Wait(request, status);
}

extern "C" int MPI_Test(MPI_Request* request, int* finished, MPI_Status* status) {
  const Sward::Perf::AddedTime time(Sward::Perf::mpi_times().moving);
  return PMPI_Test(request, finished, status);
}

extern "C" int MPI_Iallreduce(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op operation,
                              MPI_Comm communicator, MPI_Request* request) {
  const Sward::Perf::AddedTime time(Sward::Perf::mpi_times().moving);
  return PMPI_Iallreduce(send, receive, count, type, operation, communicator, request);
}
