#include "Sward_MpiCommunicator.hpp"

#if __has_include(<mpi-ext.h>)
#include <mpi-ext.h>
#endif

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

namespace Sward {

namespace {

constexpr bool device_is_apart =
    !Kokkos::SpaceAccessibility<Kokkos::HostSpace, ProcessGroup::Space::memory_space>::accessible;

int element_count(std::size_t count) {
  if (count > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw CommunicationError("MPI: a message of " + std::to_string(count) +
                             " elements is longer than MPI's 32-bit counts allow");
  return static_cast<int>(count);
}

template <class T>
T reduce_scalar(CollectiveLog& log, const char* what, T value, MPI_Datatype type, MPI_Op operation,
                MPI_Comm communicator) {
  const LoggedCollective logged(log, what);
  T result{};
  check_mpi(MPI_Allreduce(&value, &result, 1, type, operation, communicator), "MPI_Allreduce");
  return result;
}

/// Whether this MPI reads and writes the memory of a device.
bool mpi_reaches_devices() {
#if defined(MPIX_CUDA_AWARE_SUPPORT)
  return MPIX_Query_cuda_support() == 1;
#else
  return false;
#endif
}

/// Adds in float and rounds to the nearest, each time that two messages meet.
void add_bfloat16(void* values, void* sums, int* count, MPI_Datatype*) {
  const auto* const in = static_cast<const BFloat16*>(values);
  auto* const sum = static_cast<BFloat16*>(sums);
  for (int i = 0; i < *count; ++i)
    sum[i] = static_cast<BFloat16>(static_cast<float>(sum[i]) + static_cast<float>(in[i]));
}

/// MPI knows no such type; the sum of one is made at its first use, and lives as long as MPI.
MPI_Op bfloat16_sum() {
  static const MPI_Op operation = [] {
    MPI_Op created = MPI_OP_NULL;
    check_mpi(MPI_Op_create(add_bfloat16, 1, &created), "MPI_Op_create");
    return created;
  }();
  return operation;
}

MPI_Datatype mpi_type(ElementType type) {
  if (type == ElementType::float64) return MPI_DOUBLE;
  return type == ElementType::float32 ? MPI_FLOAT : MPI_UINT16_T;
}

/// Between a device's memory and a buffer on the host.
void copy_bytes(const ProcessGroup::Space& space, void* device, void* host, std::size_t bytes, bool to_device) {
  using Unmanaged = Kokkos::MemoryTraits<Kokkos::Unmanaged>;
  const Kokkos::View<std::byte*, ProcessGroup::Space::memory_space, Unmanaged> there(static_cast<std::byte*>(device),
                                                                                     bytes);
  const Kokkos::View<std::byte*, Kokkos::SharedHostPinnedSpace, Unmanaged> here(static_cast<std::byte*>(host), bytes);
  to_device ? Kokkos::deep_copy(space, there, here) : Kokkos::deep_copy(space, here, there);
}

/// Pieces that MPI's counts can tell.
template <class Byte, class Function>
void for_each_piece(std::span<Byte> bytes, const Function& function) {
  constexpr std::size_t largest = std::size_t{1} << 30;
  for (std::size_t first = 0; first < bytes.size(); first += largest)
    function(bytes.subspan(first, std::min(largest, bytes.size() - first)));
}

void send_to_root(std::span<const std::byte> bytes, MPI_Comm communicator) {
  const std::uint64_t size = bytes.size();
  check_mpi(MPI_Send(&size, 1, MPI_UINT64_T, 0, 0, communicator), "MPI_Send");
  for_each_piece(bytes, [&](std::span<const std::byte> piece) {
    check_mpi(MPI_Send(piece.data(), element_count(piece.size()), MPI_BYTE, 0, 0, communicator), "MPI_Send");
  });
}

std::vector<std::byte> receive_bytes(int sender, MPI_Comm communicator) {
  std::uint64_t size = 0;
  check_mpi(MPI_Recv(&size, 1, MPI_UINT64_T, sender, 0, communicator, MPI_STATUS_IGNORE), "MPI_Recv");
  std::vector<std::byte> bytes(size);
  for_each_piece(std::span<std::byte>(bytes), [&](std::span<std::byte> piece) {
    check_mpi(MPI_Recv(piece.data(), element_count(piece.size()), MPI_BYTE, sender, 0, communicator, MPI_STATUS_IGNORE),
              "MPI_Recv");
  });
  return bytes;
}

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommunicationError(std::string(call) + ": " + std::string(text, static_cast<std::size_t>(length)));
}

int node_local_rank(MPI_Comm communicator) {
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(communicator, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
  int rank = 0;
  check_mpi(MPI_Comm_rank(node, &rank), "MPI_Comm_rank");
  check_mpi(MPI_Comm_free(&node), "MPI_Comm_free");
  return rank;
}

MpiEnvironment::MpiEnvironment(int& argc, char**& argv) {
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_FUNNELED) throw CommunicationError("MPI_Init_thread: no support for MPI_THREAD_FUNNELED");
}

MpiEnvironment::~MpiEnvironment() { MPI_Finalize(); }

Communicator<MpiSpace>::Communicator(MPI_Comm communicator) : log_(std::make_unique<CollectiveLog>()) {
  check_mpi(MPI_Comm_dup(communicator, &communicator_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
}

Communicator<MpiSpace>::Communicator(Communicator&& other) noexcept
    : communicator_(std::exchange(other.communicator_, MPI_COMM_NULL)),
      request_(std::exchange(other.request_, MPI_REQUEST_NULL)),
      number_(other.number_),
      staged_(std::exchange(other.staged_, {})),
      staged_on_host_(other.staged_on_host_),
      staging_(std::move(other.staging_)),
      log_(std::move(other.log_)),
      rank_(other.rank_),
      size_(other.size_) {}

Communicator<MpiSpace>& Communicator<MpiSpace>::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    release();
    communicator_ = std::exchange(other.communicator_, MPI_COMM_NULL);
    request_ = std::exchange(other.request_, MPI_REQUEST_NULL);
    number_ = other.number_;
    staged_ = std::exchange(other.staged_, {});
    staged_on_host_ = other.staged_on_host_;
    staging_ = std::move(other.staging_);
    log_ = std::move(other.log_);
    rank_ = other.rank_;
    size_ = other.size_;
  }
  return *this;
}

Communicator<MpiSpace>::~Communicator() { release(); }

void Communicator<MpiSpace>::release() noexcept {
  if (communicator_ != MPI_COMM_NULL) MPI_Comm_free(&communicator_);
}

auto Communicator<MpiSpace>::stage(const Space& space, const Message& message) -> Message {
  const std::size_t bytes = message.bytes();
  const std::size_t own = own_bytes(message);
  if (staging_.extent(0) < bytes + own)
    staging_ = StagingBuffer(Kokkos::view_alloc(Kokkos::WithoutInitializing, "Sward::StagingBuffer"), bytes + own);
  Message host = message;
  host.data = staging_.data();
  host.own = message.collective == Collective::gathering ? own_row(host) : staging_.data() + bytes;
  if (message.collective == Collective::gathering)
    copy_bytes(space, message.own, host.own, own, false);
  else
    copy_bytes(space, message.data, host.data, bytes, false);
  staged_ = message;
  staged_on_host_ = host;
  return host;
}

void Communicator<MpiSpace>::unstage(const Space& space) {
  if (staged_.data == nullptr) return;
  if (staged_.collective == Collective::scattered_sum)
    copy_bytes(space, staged_.own, staged_on_host_.own, own_bytes(staged_), true);
  else
    copy_bytes(space, staged_.data, staged_on_host_.data, staged_.bytes(), true);
  staged_ = {};
}

auto Communicator<MpiSpace>::start(const Space& space, const Message& message, const std::string& what) -> Ticket {
  wait(space);
  const bool is_on_device = device_is_apart && !message.on_host;
  if (is_on_device && size_ == 1 && message.collective == Collective::sum) return number_;
  const bool is_staged = is_on_device && !mpi_reaches_devices();
  const Message reachable = is_staged ? stage(space, message) : message;
  // MPI reads the buffer from the host, so the kernels that fill it must be done.
  space.fence("Sward::Communicator::start");
  number_ = log_->begin(what);
  enqueue(reachable);
  return number_;
}

void Communicator<MpiSpace>::enqueue(const Message& message) {
  const MPI_Datatype type = mpi_type(message.type);
  const MPI_Op operation = message.type == ElementType::bfloat16 ? bfloat16_sum() : MPI_SUM;
  switch (message.collective) {
    case Collective::sum:
      check_mpi(MPI_Iallreduce(MPI_IN_PLACE, message.data, element_count(message.count), type, operation, communicator_,
                               &request_),
                "MPI_Iallreduce");
      break;
    case Collective::gathering: {
      const bool in_place = message.own == own_row(message);
      const int count = element_count(own_count(message));
      check_mpi(MPI_Iallgather(in_place ? MPI_IN_PLACE : message.own, in_place ? 0 : count, type, message.data, count,
                               type, communicator_, &request_),
                "MPI_Iallgather");
      break;
    }
    case Collective::scattered_sum:
      check_mpi(MPI_Ireduce_scatter_block(message.data, message.own, element_count(own_count(message)), type, operation,
                                          communicator_, &request_),
                "MPI_Ireduce_scatter_block");
  }
}

void Communicator<MpiSpace>::progress() {
  if (request_ == MPI_REQUEST_NULL) return;
  int finished = 0;
  check_mpi(MPI_Test(&request_, &finished, MPI_STATUS_IGNORE), "MPI_Test");
  if (finished != 0) log_->finish(number_);
}

void Communicator<MpiSpace>::wait(const Space& space) {
  if (request_ != MPI_REQUEST_NULL) {
    check_mpi(MPI_Wait(&request_, MPI_STATUS_IGNORE), "MPI_Wait");
    log_->finish(number_);
  }
  unstage(space);
}

void Communicator<MpiSpace>::wait(const Space& space, Ticket ticket) {
  if (ticket == number_) wait(space);
}

double Communicator<MpiSpace>::sum(double value) const {
  return reduce_scalar(*log_, "a sum of numbers", value, MPI_DOUBLE, MPI_SUM, communicator_);
}

std::uint64_t Communicator<MpiSpace>::minimum(std::uint64_t value) const {
  return reduce_scalar(*log_, "a minimum of numbers", value, MPI_UINT64_T, MPI_MIN, communicator_);
}

std::uint64_t Communicator<MpiSpace>::maximum(std::uint64_t value) const {
  return reduce_scalar(*log_, "a maximum of numbers", value, MPI_UINT64_T, MPI_MAX, communicator_);
}

void Communicator<MpiSpace>::barrier() const {
  const LoggedCollective logged(*log_, "a barrier");
  check_mpi(MPI_Barrier(communicator_), "MPI_Barrier");
}

std::vector<std::uint64_t> Communicator<MpiSpace>::merge(const std::vector<std::uint64_t>& bits) const {
  const LoggedCollective logged(*log_, "a merger of bits");
  std::vector<std::uint64_t> merged(bits.size());
  check_mpi(MPI_Allreduce(bits.data(), merged.data(), element_count(bits.size()), MPI_UINT64_T, MPI_BOR, communicator_),
            "MPI_Allreduce");
  return merged;
}

std::string Communicator<MpiSpace>::broadcast(const std::string& text, int root) const {
  const LoggedCollective logged(*log_, "a broadcast");
  int length = static_cast<int>(text.size());
  check_mpi(MPI_Bcast(&length, 1, MPI_INT, root, communicator_), "MPI_Bcast");
  std::string result = text;
  result.resize(static_cast<std::size_t>(length));
  check_mpi(MPI_Bcast(result.data(), length, MPI_CHAR, root, communicator_), "MPI_Bcast");
  return result;
}

void Communicator<MpiSpace>::gather_to_root(std::span<const std::byte> bytes, const Take& take) const {
  const LoggedCollective logged(*log_, "a gathering of bytes");
  if (rank_ != 0) return send_to_root(bytes, communicator_);
  take(0, bytes);
  for (int sender = 1; sender < size_; ++sender) take(sender, receive_bytes(sender, communicator_));
}

}  // namespace Sward
