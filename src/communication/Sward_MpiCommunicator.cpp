#include "Sward_MpiCommunicator.hpp"

#include <exception>
#include <limits>
#include <string>
#include <utility>

namespace Sward {

namespace {

int element_count(std::size_t count) {
  if (count > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    throw CommunicationError("MPI_Iallreduce: a message of " + std::to_string(count) +
                             " elements is longer than MPI's 32-bit counts allow");
  return static_cast<int>(count);
}

template <class T>
T reduce_scalar(T value, MPI_Datatype type, MPI_Op operation, MPI_Comm communicator) {
  T result{};
  check_mpi(MPI_Allreduce(&value, &result, 1, type, operation, communicator), "MPI_Allreduce");
  return result;
}

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommunicationError(std::string(call) + ": " + std::string(text, static_cast<std::size_t>(length)));
}

MpiEnvironment::MpiEnvironment(int& argc, char**& argv) {
  int provided = 0;
  check_mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
  if (provided < MPI_THREAD_FUNNELED) throw CommunicationError("MPI_Init_thread: no support for MPI_THREAD_FUNNELED");
}

MpiEnvironment::~MpiEnvironment() { MPI_Finalize(); }

Communicator<MpiSpace>::Communicator(MPI_Comm communicator) {
  check_mpi(MPI_Comm_dup(communicator, &communicator_), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
}

Communicator<MpiSpace>::Communicator(Communicator&& other) noexcept
    : communicator_(std::exchange(other.communicator_, MPI_COMM_NULL)),
      under_way_(std::exchange(other.under_way_, MPI_REQUEST_NULL)),
      rank_(other.rank_),
      size_(other.size_) {}

Communicator<MpiSpace>& Communicator<MpiSpace>::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    release();
    communicator_ = std::exchange(other.communicator_, MPI_COMM_NULL);
    under_way_ = std::exchange(other.under_way_, MPI_REQUEST_NULL);
    rank_ = other.rank_;
    size_ = other.size_;
  }
  return *this;
}

Communicator<MpiSpace>::~Communicator() { release(); }

void Communicator<MpiSpace>::release() noexcept {
  if (communicator_ != MPI_COMM_NULL) MPI_Comm_free(&communicator_);
}

void Communicator<MpiSpace>::start_sum(std::span<float> values) { start_sum(values.data(), values.size(), MPI_FLOAT); }

void Communicator<MpiSpace>::start_sum(std::span<double> values) {
  start_sum(values.data(), values.size(), MPI_DOUBLE);
}

void Communicator<MpiSpace>::start_sum(void* data, std::size_t count, MPI_Datatype type) {
  wait();
  check_mpi(MPI_Iallreduce(MPI_IN_PLACE, data, element_count(count), type, MPI_SUM, communicator_, &under_way_),
            "MPI_Iallreduce");
}

void Communicator<MpiSpace>::progress() {
  int finished = 0;
  check_mpi(MPI_Test(&under_way_, &finished, MPI_STATUS_IGNORE), "MPI_Test");
}

void Communicator<MpiSpace>::wait() { check_mpi(MPI_Wait(&under_way_, MPI_STATUS_IGNORE), "MPI_Wait"); }

double Communicator<MpiSpace>::sum(double value) const {
  return reduce_scalar(value, MPI_DOUBLE, MPI_SUM, communicator_);
}

std::uint64_t Communicator<MpiSpace>::minimum(std::uint64_t value) const {
  return reduce_scalar(value, MPI_UINT64_T, MPI_MIN, communicator_);
}

std::uint64_t Communicator<MpiSpace>::maximum(std::uint64_t value) const {
  return reduce_scalar(value, MPI_UINT64_T, MPI_MAX, communicator_);
}

void Communicator<MpiSpace>::barrier() const { check_mpi(MPI_Barrier(communicator_), "MPI_Barrier"); }

}  // namespace Sward
