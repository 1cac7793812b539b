#pragma once

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <array>
#include <deque>
#include <vector>

#include "Sward_Communicator.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// Collectives through NCCL, on a stream of their own beside the one that computes; numbers and texts go through the
/// group that it was made from.
struct NcclSpace {};

/// Throws CommunicationError with NCCL's own text unless `code` is ncclSuccess.
void check_nccl(ncclResult_t code, const char* call);

/// Throws CommunicationError with CUDA's own text unless `code` is cudaSuccess.
void check_cuda(cudaError_t code, const char* call);

/// Where a device is: on the bus of its node, and the node's name. No other device has the same.
using DeviceAddress = std::array<char, 128>;

/// Of the device that is current.
DeviceAddress device_address();

/// When a message ran on its stream, in milliseconds.
struct MessageTimes {
  std::string what;
  double begin;
  double end;
};

/// Nothing here waits on the host: a message starts when the work queued before it is done, and the work queued behind
/// `wait` starts when the message is.
template <>
class Communicator<NcclSpace> : public ProcessGroup {
 public:
  /// Of the same ranks as `host`, which must outlive it; each on the device that is current.
  explicit Communicator(const ProcessGroup& host);
  /// On a communicator of the caller's, of the same ranks in the same order, which has to outlive this object and in
  /// which nobody else starts anything meanwhile.
  Communicator(const ProcessGroup& host, ncclComm_t callers);
  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator() override;

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }

  void wait(const Space& space) override;
  void wait(const Space& space, Ticket ticket) override;
  /// Notes which messages are through; they advance by themselves.
  void progress() override;

  double sum(double value) const override { return host_->sum(value); }
  std::uint64_t minimum(std::uint64_t value) const override { return host_->minimum(value); }
  std::uint64_t maximum(std::uint64_t value) const override { return host_->maximum(value); }
  void barrier() const override { host_->barrier(); }
  std::vector<std::uint64_t> merge(const std::vector<std::uint64_t>& bits) const override { return host_->merge(bits); }
  std::string broadcast(const std::string& text, int root) const override { return host_->broadcast(text, root); }
  void gather_to_root(std::span<const std::byte> bytes, const Take& take) const override {
    host_->gather_to_root(bytes, take);
  }
  CollectiveLog& log() const override { return host_->log(); }

  std::string asynchronous_error() const override;

  /// For measurements: from now on messages are timed, counted from when `space` gets here.
  void start_times(const Space& space);
  /// The messages since, which must be through; ends the timing.
  std::vector<MessageTimes> take_times();

 protected:
  Ticket start(const Space& space, const Message& message, const std::string& what) override;

 private:
  struct UnderWay {
    std::uint64_t number;  ///< in the log
    cudaEvent_t end;
  };
  struct Timed {
    std::string what;
    cudaEvent_t begin;
    cudaEvent_t end;
  };
  void enqueue(const Message& message);
  void enqueue_timed(const Message& message, const std::string& what);
  cudaEvent_t take_event();
  void release() noexcept;

  const ProcessGroup* host_;
  ncclComm_t communicator_ = nullptr;
  bool is_callers_ = false;  ///< the communicator
  cudaStream_t stream_ = nullptr;
  cudaEvent_t filled_ = nullptr;  ///< behind the work that fills a message
  std::deque<UnderWay> under_way_;
  std::vector<cudaEvent_t> idle_events_;
  cudaEvent_t origin_ = nullptr;  ///< of times, where messages are timed
  std::vector<Timed> timed_;
};

}  // namespace Sward
