#include "Sward_NcclCommunicator.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

namespace Sward {

namespace {

ncclDataType_t nccl_type(ElementType type) {
  if (type == ElementType::float64) return ncclDouble;
  return type == ElementType::float32 ? ncclFloat : ncclBfloat16;
}

/// Rank 0 makes the name by which the ranks of a communicator find each other.
ncclUniqueId share_unique_id(const ProcessGroup& host) {
  ncclUniqueId id{};
  if (host.rank() == 0) check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
  const std::string bytes = host.broadcast(std::string(id.internal, sizeof id.internal), 0);
  std::memcpy(id.internal, bytes.data(), sizeof id.internal);
  return id;
}

/// Messages are to pass in front of the products that wait for a processor of the device.
cudaStream_t create_stream() {
  int least = 0;
  int greatest = 0;
  check_cuda(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest), "cudaStreamCreateWithPriority");
  return stream;
}

cudaEvent_t create_event(unsigned flags = cudaEventDisableTiming) {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreateWithFlags(&event, flags), "cudaEventCreateWithFlags");
  return event;
}

/// The caller's communicator, whose ranks must be those of the group.
ncclComm_t require_same_ranks(const ProcessGroup& host, ncclComm_t callers) {
  int rank = 0;
  int size = 0;
  check_nccl(ncclCommUserRank(callers, &rank), "ncclCommUserRank");
  check_nccl(ncclCommCount(callers, &size), "ncclCommCount");
  if (rank != host.rank() || size != host.size())
    throw CommunicationError("the caller's NCCL communicator has rank " + std::to_string(rank) + " of " +
                             std::to_string(size) + ", its group " + std::to_string(host.rank()) + " of " +
                             std::to_string(host.size()));
  return callers;
}

double milliseconds_between(cudaEvent_t begin, cudaEvent_t end) {
  float milliseconds = 0;
  check_cuda(cudaEventElapsedTime(&milliseconds, begin, end), "cudaEventElapsedTime");
  return milliseconds;
}

}  // namespace

void check_nccl(ncclResult_t code, const char* call) {
  if (code != ncclSuccess) throw CommunicationError(std::string(call) + ": " + ncclGetErrorString(code));
}

void check_cuda(cudaError_t code, const char* call) {
  if (code != cudaSuccess) throw CommunicationError(std::string(call) + ": " + cudaGetErrorString(code));
}

DeviceAddress device_address() {
  int device = 0;
  check_cuda(cudaGetDevice(&device), "cudaGetDevice");
  DeviceAddress address{};
  check_cuda(cudaDeviceGetPCIBusId(address.data(), 32, device), "cudaDeviceGetPCIBusId");
  // Devices of two nodes may have the same number there.
  if (::gethostname(address.data() + 32, address.size() - 32) != 0)
    throw CommunicationError("gethostname: " + std::string(std::strerror(errno)));
  return address;
}

Communicator<NcclSpace>::Communicator(const ProcessGroup& host)
    : host_(&host), stream_(create_stream()), filled_(create_event()) {
  const ncclUniqueId id = share_unique_id(host);
  const LoggedCollective logged(host.log(), "the start of NCCL");
  check_nccl(ncclCommInitRank(&communicator_, host.size(), id, host.rank()), "ncclCommInitRank");
}

Communicator<NcclSpace>::Communicator(const ProcessGroup& host, ncclComm_t callers)
    : host_(&host),
      communicator_(require_same_ranks(host, callers)),
      is_callers_(true),
      stream_(create_stream()),
      filled_(create_event()) {}

Communicator<NcclSpace>::Communicator(Communicator&& other) noexcept
    : host_(other.host_),
      communicator_(std::exchange(other.communicator_, nullptr)),
      is_callers_(other.is_callers_),
      stream_(std::exchange(other.stream_, nullptr)),
      filled_(std::exchange(other.filled_, nullptr)),
      under_way_(std::exchange(other.under_way_, {})),
      idle_events_(std::exchange(other.idle_events_, {})),
      origin_(std::exchange(other.origin_, nullptr)),
      timed_(std::exchange(other.timed_, {})) {}

Communicator<NcclSpace>& Communicator<NcclSpace>::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    release();
    host_ = other.host_;
    communicator_ = std::exchange(other.communicator_, nullptr);
    is_callers_ = other.is_callers_;
    stream_ = std::exchange(other.stream_, nullptr);
    filled_ = std::exchange(other.filled_, nullptr);
    under_way_ = std::exchange(other.under_way_, {});
    idle_events_ = std::exchange(other.idle_events_, {});
    origin_ = std::exchange(other.origin_, nullptr);
    timed_ = std::exchange(other.timed_, {});
  }
  return *this;
}

Communicator<NcclSpace>::~Communicator() { release(); }

void Communicator<NcclSpace>::release() noexcept {
  for (const UnderWay& message : under_way_) cudaEventDestroy(message.end);
  for (const cudaEvent_t event : idle_events_) cudaEventDestroy(event);
  for (const Timed& timed : timed_) {
    cudaEventDestroy(timed.begin);
    cudaEventDestroy(timed.end);
  }
  under_way_.clear();
  idle_events_.clear();
  timed_.clear();
  if (origin_ != nullptr) cudaEventDestroy(origin_);
  if (filled_ != nullptr) cudaEventDestroy(filled_);
  // Destroying waits for the other ranks of the node, and these may be waiting for the one that fails.
  if (communicator_ != nullptr && !is_callers_)
    std::uncaught_exceptions() > 0 ? ncclCommAbort(communicator_) : ncclCommDestroy(communicator_);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

cudaEvent_t Communicator<NcclSpace>::take_event() {
  if (idle_events_.empty()) return create_event();
  const cudaEvent_t event = idle_events_.back();
  idle_events_.pop_back();
  return event;
}

auto Communicator<NcclSpace>::start(const Space& space, const Message& message, const std::string& what) -> Ticket {
  if (message.on_host) throw CommunicationError("NCCL does not reach host memory, where " + what + " lies");
  progress();
  check_cuda(cudaEventRecord(filled_, space.cuda_stream()), "cudaEventRecord");
  check_cuda(cudaStreamWaitEvent(stream_, filled_), "cudaStreamWaitEvent");
  const Ticket ticket = log().begin(what);
  origin_ == nullptr ? enqueue(message) : enqueue_timed(message, what);
  under_way_.push_back({ticket, take_event()});
  check_cuda(cudaEventRecord(under_way_.back().end, stream_), "cudaEventRecord");
  return ticket;
}

void Communicator<NcclSpace>::enqueue(const Message& message) {
  const ncclDataType_t type = nccl_type(message.type);
  switch (message.collective) {
    case Collective::sum:
      check_nccl(ncclAllReduce(message.data, message.data, message.count, type, ncclSum, communicator_, stream_),
                 "ncclAllReduce");
      break;
    case Collective::gathering:
      check_nccl(ncclAllGather(message.own, message.data, own_count(message), type, communicator_, stream_),
                 "ncclAllGather");
      break;
    case Collective::scattered_sum:
      check_nccl(
          ncclReduceScatter(message.data, message.own, own_count(message), type, ncclSum, communicator_, stream_),
          "ncclReduceScatter");
  }
}

void Communicator<NcclSpace>::enqueue_timed(const Message& message, const std::string& what) {
  const Timed timed{what, create_event(cudaEventDefault), create_event(cudaEventDefault)};
  check_cuda(cudaEventRecord(timed.begin, stream_), "cudaEventRecord");
  enqueue(message);
  check_cuda(cudaEventRecord(timed.end, stream_), "cudaEventRecord");
  timed_.push_back(timed);
}

void Communicator<NcclSpace>::start_times(const Space& space) {
  take_times();
  origin_ = create_event(cudaEventDefault);
  check_cuda(cudaEventRecord(origin_, space.cuda_stream()), "cudaEventRecord");
}

std::vector<MessageTimes> Communicator<NcclSpace>::take_times() {
  std::vector<MessageTimes> times;
  for (const Timed& timed : timed_) {
    times.push_back({timed.what, milliseconds_between(origin_, timed.begin), milliseconds_between(origin_, timed.end)});
    check_cuda(cudaEventDestroy(timed.begin), "cudaEventDestroy");
    check_cuda(cudaEventDestroy(timed.end), "cudaEventDestroy");
  }
  timed_.clear();
  if (origin_ != nullptr) check_cuda(cudaEventDestroy(origin_), "cudaEventDestroy");
  origin_ = nullptr;
  return times;
}

void Communicator<NcclSpace>::wait(const Space& space) {
  if (!under_way_.empty()) wait(space, under_way_.back().number);
}

void Communicator<NcclSpace>::wait(const Space& space, Ticket ticket) {
  for (const UnderWay& message : under_way_)
    if (message.number == ticket)
      check_cuda(cudaStreamWaitEvent(space.cuda_stream(), message.end), "cudaStreamWaitEvent");
}

void Communicator<NcclSpace>::progress() {
  while (!under_way_.empty()) {
    const UnderWay& oldest = under_way_.front();
    const cudaError_t state = cudaEventQuery(oldest.end);
    if (state == cudaErrorNotReady) return;
    check_cuda(state, "cudaEventQuery");
    log().finish(oldest.number);
    idle_events_.push_back(oldest.end);
    under_way_.pop_front();
  }
}

std::string Communicator<NcclSpace>::asynchronous_error() const {
  ncclResult_t state = ncclSuccess;
  check_nccl(ncclCommGetAsyncError(communicator_, &state), "ncclCommGetAsyncError");
  return state == ncclSuccess || state == ncclInProgress ? "" : ncclGetErrorString(state);
}

}  // namespace Sward
