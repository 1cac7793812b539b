#pragma once

#include <mpi.h>

#include <memory>

#include "Sward_Communicator.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// Collectives through MPI.
struct MpiSpace {};

/// Throws CommunicationError with MPI's own text unless `code` is MPI_SUCCESS.
void check_mpi(int code, const char* call);

/// The number of this rank of a communicator among those of it that share its node, in their order.
int node_local_rank(MPI_Comm communicator);

/// Initialises MPI (funneled) for the lifetime of a program.
class MpiEnvironment {
 public:
  MpiEnvironment(int& argc, char**& argv);
  MpiEnvironment(const MpiEnvironment&) = delete;
  MpiEnvironment& operator=(const MpiEnvironment&) = delete;
  ~MpiEnvironment();
};

/// Host memory that a device copies to and from at full speed.
using StagingBuffer = Kokkos::View<std::byte*, Kokkos::SharedHostPinnedSpace>;

/// One message is under way at a time, because MPI holds a copy of each; starting another waits for it. Messages in the
/// memory of a device go as they lie where MPI says that it reaches such memory, and through the host where not.
template <>
class Communicator<MpiSpace> : public ProcessGroup {
 public:
  /// Duplicates the caller's communicator, so that messages never mix with the caller's own.
  explicit Communicator(MPI_Comm communicator);
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void wait(const Space& space) override;
  void wait(const Space& space, Ticket ticket) override;
  /// Most implementations of MPI move data only inside MPI calls.
  void progress() override;

  double sum(double value) const override;
  std::uint64_t minimum(std::uint64_t value) const override;
  std::uint64_t maximum(std::uint64_t value) const override;
  void barrier() const override;
  std::vector<std::uint64_t> merge(const std::vector<std::uint64_t>& bits) const override;
  std::string broadcast(const std::string& text, int root) const override;
  void gather_to_root(std::span<const std::byte> bytes, const Take& take) const override;
  CollectiveLog& log() const override { return *log_; }

  MPI_Comm handle() const { return communicator_; }

 protected:
  Ticket start(const Space& space, const Message& message, const std::string& what) override;

 private:
  /// The same message on the host, where the device's is copied to, and comes back from in `unstage`.
  Message stage(const Space& space, const Message& message);
  void unstage(const Space& space);
  void enqueue(const Message& message);
  void release() noexcept;

  MPI_Comm communicator_ = MPI_COMM_NULL;
  MPI_Request request_ = MPI_REQUEST_NULL;
  std::uint64_t number_ = 0;  ///< of the message under way, in the log
  Message staged_{};          ///< on the device; without data unless one is under way
  Message staged_on_host_{};
  StagingBuffer staging_;
  std::unique_ptr<CollectiveLog> log_;
  int rank_ = 0;
  int size_ = 1;
};

}  // namespace Sward
