#pragma once

#include <mpi.h>

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "Sward_Communicator.hpp"

namespace Sward {

/// Collectives through MPI.
struct MpiSpace {};

/// Throws CommunicationError with MPI's own text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// Initialises MPI (funneled) for the lifetime of a program.
class MpiEnvironment {
 public:
  MpiEnvironment(int& argc, char**& argv);
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  ~MpiEnvironment();
};

template <>
class Communicator<MpiSpace> {
 public:
  /// Duplicates the caller's communicator, so that messages never mix with the caller's own.
  explicit Communicator(MPI_Comm communicator = MPI_COMM_WORLD);
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator();

  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Starts the in-place sum over ranks of a contiguous vector, after the work that `space` holds and the message
  /// before have finished: MPI holds a copy of each message under way, so there is but one. The vector belongs to the
  /// message until `wait`.
  template <class ExecutionSpace, class View>
  void start_all_reduce(const ExecutionSpace& space, const View& vector) {
    if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename View::memory_space>::accessible) {
      // MPI reads the buffer from the host, so the kernels that fill it must be done.
      space.fence("Sward::Communicator::start_all_reduce");
      start_sum(std::span(vector.data(), vector.span()));
    } else if (size_ > 1) {
      throw CommunicationError("MPI does not reach the memory of a device: run one rank");
    }
  }

  template <class ExecutionSpace, class View>
  void all_reduce(const ExecutionSpace& space, const View& view) {
    start_all_reduce(space, view);
    wait();
  }

  /// Lets MPI advance the message that is under way; most implementations move data only inside MPI calls.
  void progress();
  void wait();

  double sum(double value) const;
  std::uint64_t minimum(std::uint64_t value) const;
  std::uint64_t maximum(std::uint64_t value) const;
  void barrier() const;

 private:
  void start_sum(std::span<float> values);
  void start_sum(std::span<double> values);
  void start_sum(void* data, std::size_t count, MPI_Datatype type);
  void release() noexcept;

  MPI_Comm communicator_ = MPI_COMM_NULL;
  MPI_Request under_way_ = MPI_REQUEST_NULL;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace Sward
