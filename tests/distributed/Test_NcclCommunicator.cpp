#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_NcclCommunicator.hpp"

namespace {

std::size_t bytes_given = 0;

}  // namespace

// NCCL's profiling interface, as MPI's: the library's own function has a name of its own.
extern "C" ncclResult_t pncclAllReduce(const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t,
                                       cudaStream_t);
extern "C" ncclResult_t ncclAllReduce(const void* send, void* receive, std::size_t count, ncclDataType_t type,
                                      ncclRedOp_t operation, ncclComm_t communicator, cudaStream_t stream) {
  bytes_given += count * (type == ncclDouble ? 8 : type == ncclFloat ? 4 : 2);
  return pncclAllReduce(send, receive, count, type, operation, communicator, stream);
}

namespace Sward::Test {
namespace {

using Space = ProcessGroup::Space;
template <class T>
using Vector = Kokkos::View<T*, Kokkos::LayoutRight, Space>;

/// Element i is (rank + 1) (i mod 50 + 1): every sum is exact in bfloat16 for up to four ranks and small i.
template <class T>
void fill_multiples(const Space& space, const Vector<T>& vector, int rank, int range) {
  Kokkos::parallel_for(
      "Sward::Test::multiples", Kokkos::RangePolicy<Space>(space, 0, static_cast<int>(vector.extent(0))),
      KOKKOS_LAMBDA(const int i) { vector(i) = static_cast<T>(static_cast<float>((rank + 1) * (i % range + 1))); });
}

/// Elements that are not what fill_multiples of so many ranks adds up to.
template <class T>
int wrong_sums(const Space& space, const Vector<T>& vector, int ranks, int range) {
  int wrong = 0;
  Kokkos::parallel_reduce(
      "Sward::Test::wrong_sums", Kokkos::RangePolicy<Space>(space, 0, static_cast<int>(vector.extent(0))),
      KOKKOS_LAMBDA(const int i, int& count) {
        const float wanted = static_cast<float>(ranks * (ranks + 1) / 2 * (i % range + 1));
        if (static_cast<float>(vector(i)) != wanted) ++count;
      },
      wrong);
  return wrong;
}

class NcclCommunicator : public ::testing::Test {
 protected:
  Communicator<MpiSpace> mpi_{MPI_COMM_WORLD};
  Communicator<NcclSpace> group_{mpi_};
  Space space_;
};

template <class T>
void expect_sums(Communicator<NcclSpace>& group, const Space& space, std::size_t count, int range) {
  const Vector<T> vector("vector", count);
  for (int round = 0; round < 3; ++round) {
    bytes_given = 0;
    fill_multiples(space, vector, group.rank(), range);
    group.all_reduce(space, vector, "a vector");
    EXPECT_EQ(wrong_sums(space, vector, group.size(), range), 0) << count;
    EXPECT_EQ(bytes_given, count * sizeof(T));
  }
}

TEST_F(NcclCommunicator, SumsInPlaceBehindTheWorkOfTheInstance) {
  EXPECT_EQ(group_.rank(), mpi_.rank());
  EXPECT_EQ(group_.size(), mpi_.size());
  for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{3'000'000}}) {
    expect_sums<float>(group_, space_, count, 1000);
    expect_sums<double>(group_, space_, count, 1000);
    expect_sums<BFloat16>(group_, space_, count, 25);
  }
}

/// What fill_multiples of `rank` wrote.
template <class T>
void expect_multiples(const Space& space, const Vector<T>& vector, int rank, int range) {
  space.fence();
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, vector);
  for (std::size_t i = 0; i < host.extent(0); ++i)
    ASSERT_EQ(static_cast<float>(host(i)), static_cast<float>((rank + 1) * (static_cast<int>(i) % range + 1))) << i;
}

template <class Group, class T>
void expect_rows(Group& group, const Space& space, std::size_t count, int range) {
  const auto ranks = static_cast<std::size_t>(group.size());
  const Kokkos::View<T**, Kokkos::LayoutRight, Space> rows("rows", ranks, count);
  const auto row = [&](int rank) { return Vector<T>(Kokkos::subview(rows, rank, Kokkos::ALL)); };
  fill_multiples(space, row(group.rank()), group.rank(), range);
  group.all_gather(space, rows, "rows");
  for (int rank = 0; rank < group.size(); ++rank) expect_multiples(space, row(rank), rank, range);

  const Vector<T> own("own", count);
  fill_multiples(space, own, group.rank(), range);
  Kokkos::deep_copy(space, rows, T(-1.0F));
  const auto gathered = group.start_all_gather(space, own, rows, "rows");
  group.wait(space, gathered);
  for (int rank = 0; rank < group.size(); ++rank) expect_multiples(space, row(rank), rank, range);

  // Every rank has the same rows, so that the sum of each is what so many ranks have of it.
  const Vector<T> sum("sum", count);
  group.wait(space, group.start_reduce_scatter(space, rows, sum, "rows"));
  expect_multiples(space, sum, group.size() * (group.rank() + 1) - 1, range);
}

TEST_F(NcclCommunicator, GathersRowsAndScattersTheirSums) {
  Communicator<MpiSpace> staged(MPI_COMM_WORLD);
  for (const std::size_t count : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    expect_rows<Communicator<NcclSpace>, float>(group_, space_, count, 1000);
    expect_rows<Communicator<NcclSpace>, BFloat16>(group_, space_, count, 8);
    expect_rows<Communicator<MpiSpace>, float>(staged, space_, count, 1000);
    expect_rows<Communicator<MpiSpace>, BFloat16>(staged, space_, count, 8);
  }
}

TEST_F(NcclCommunicator, HasSeveralMessagesUnderWay) {
  std::vector<Vector<float>> vectors;
  for (int i = 0; i < 12; ++i) {
    vectors.emplace_back("vector", 100'000);
    fill_multiples(space_, vectors.back(), group_.rank(), 1000);
    group_.start_all_reduce(space_, vectors.back(), "vector " + std::to_string(i));
  }
  EXPECT_EQ(group_.sum(1.0), group_.size());
  group_.wait(space_);
  for (const auto& vector : vectors) EXPECT_EQ(wrong_sums(space_, vector, group_.size(), 1000), 0);
  space_.fence();
  group_.progress();
  EXPECT_EQ(group_.log().status().waits_for, "");
  EXPECT_EQ(group_.asynchronous_error(), "");
}

TEST_F(NcclCommunicator, WorksOnACommunicatorOfTheCallers) {
  ncclUniqueId id{};
  if (mpi_.rank() == 0) check_nccl(ncclGetUniqueId(&id), "ncclGetUniqueId");
  MPI_Bcast(&id, sizeof id, MPI_BYTE, 0, mpi_.handle());
  ncclComm_t callers = nullptr;
  check_nccl(ncclCommInitRank(&callers, mpi_.size(), id, mpi_.rank()), "ncclCommInitRank");
  {
    Communicator<NcclSpace> group(mpi_, callers);
    const Vector<float> values("values", 5);
    Kokkos::deep_copy(values, static_cast<float>(mpi_.rank() + 1));
    group.all_reduce(Space(), values);
    Space().fence();
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, values);
    EXPECT_EQ(host(4), static_cast<float>(mpi_.size() * (mpi_.size() + 1) / 2));
  }
  int size = 0;  // it is still there
  check_nccl(ncclCommCount(callers, &size), "ncclCommCount");
  EXPECT_EQ(size, mpi_.size());
  check_nccl(ncclCommDestroy(callers), "ncclCommDestroy");
}

TEST_F(NcclCommunicator, RefusesHostMemory) {
  const Kokkos::View<float*, Kokkos::LayoutRight, Kokkos::HostSpace> vector("vector", 3);
  try {
    group_.all_reduce(space_, vector, "a host's vector");
    FAIL() << "host memory was given to NCCL";
  } catch (const CommunicationError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("a host's vector"));
  }
}

TEST_F(NcclCommunicator, GoesOnAfterAMove) {
  Communicator<NcclSpace> second(std::move(group_));
  expect_sums<float>(second, space_, 1000, 1000);
  group_ = std::move(second);
  expect_sums<float>(group_, space_, 1000, 1000);
}

/// Through the host, where MPI does not reach the device: the same sums.
TEST_F(NcclCommunicator, IsNotNeededForSumsOfADevice) {
  Communicator<MpiSpace> staged(MPI_COMM_WORLD);
  const Vector<float> one("one", 1000);
  const Vector<float> other("other", 70'000);
  fill_multiples(space_, one, staged.rank(), 1000);
  fill_multiples(space_, other, staged.rank(), 1000);
  staged.start_all_reduce(space_, one);
  staged.start_all_reduce(space_, other);
  staged.wait(space_);
  EXPECT_EQ(wrong_sums(space_, one, staged.size(), 1000), 0);
  EXPECT_EQ(wrong_sums(space_, other, staged.size(), 1000), 0);
}

}  // namespace
}  // namespace Sward::Test
