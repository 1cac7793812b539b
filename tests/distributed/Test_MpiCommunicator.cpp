#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "Sward_MpiCommunicator.hpp"

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;
template <class T>
using Vector = Kokkos::View<T*, Kokkos::LayoutRight, Kokkos::HostSpace>;

static_assert(!std::is_copy_constructible_v<Communicator<MpiSpace>>);
static_assert(!std::is_copy_assignable_v<Communicator<MpiSpace>>);
static_assert(std::is_nothrow_move_constructible_v<Communicator<MpiSpace>>);
static_assert(std::is_nothrow_move_assignable_v<Communicator<MpiSpace>>);

int world_rank() {
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int world_size() {
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}

/// Element i is (rank + 1) (i + 1) on each rank, small enough that every sum is exact.
template <class T>
Vector<T> multiples(int rank, std::size_t count) {
  Vector<T> vector("multiples", count);
  for (std::size_t i = 0; i < count; ++i) vector(i) = static_cast<T>(rank + 1) * static_cast<T>(i % 1000 + 1);
  return vector;
}

/// True when every element is what multiples() of this many ranks add up to.
template <class T>
bool is_sum_of_multiples(const Vector<T>& vector, int ranks) {
  for (std::size_t i = 0; i < vector.extent(0); ++i)
    if (vector(i) != static_cast<T>(ranks * (ranks + 1) / 2) * static_cast<T>(i % 1000 + 1)) return false;
  return true;
}

TEST(MpiCommunicator, knows_rank_and_size) {
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  EXPECT_EQ(communicator.rank(), world_rank());
  EXPECT_EQ(communicator.size(), world_size());
  const Communicator<MpiSpace> alone(MPI_COMM_SELF);
  EXPECT_EQ(alone.rank(), 0);
  EXPECT_EQ(alone.size(), 1);
}

template <class T>
void expect_sums(const Communicator<MpiSpace>& named, std::size_t count) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const Vector<T> vector = multiples<T>(communicator.rank(), count);
  const T* const place = vector.data();
  communicator.all_reduce(Space(), vector);
  EXPECT_EQ(vector.data(), place);
  EXPECT_TRUE(is_sum_of_multiples(vector, named.size())) << count;
}

TEST(MpiCommunicator, sums_vectors_in_place) {
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  for (const std::size_t count : {0U, 1U, 7U, 100'000U}) {
    expect_sums<float>(communicator, count);
    expect_sums<double>(communicator, count);
  }
}

template <class T>
void expect_gathered(Communicator<MpiSpace>& communicator, std::size_t count) {
  const auto ranks = static_cast<std::size_t>(communicator.size());
  const Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace> rows("rows", ranks, count);
  const auto own = static_cast<std::size_t>(communicator.rank());
  for (std::size_t i = 0; i < count; ++i) rows(own, i) = static_cast<T>(static_cast<float>(10 * own + i % 7));
  communicator.all_gather(Space(), rows, "rows");
  for (std::size_t rank = 0; rank < ranks; ++rank)
    for (std::size_t i = 0; i < count; ++i)
      ASSERT_EQ(static_cast<float>(rows(rank, i)), static_cast<float>(10 * rank + i % 7)) << rank << ", " << i;
}

TEST(MpiCommunicator, gathers_the_rows_of_all_ranks) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  for (const std::size_t count : {0U, 1U, 7U, 100'000U}) {
    expect_gathered<float>(communicator, count);
    expect_gathered<double>(communicator, count);
    expect_gathered<BFloat16>(communicator, count);
  }
  const Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace> other(
      "other", static_cast<std::size_t>(communicator.size()) + 1, 2);
  EXPECT_THROW(communicator.all_gather(Space(), other), std::invalid_argument);
}

template <class T>
void expect_scattered(Communicator<MpiSpace>& communicator, std::size_t count) {
  const int ranks = communicator.size();
  const Kokkos::View<T**, Kokkos::LayoutRight, Kokkos::HostSpace> rows("rows", static_cast<std::size_t>(ranks), count);
  for (int row = 0; row < ranks; ++row)
    for (std::size_t i = 0; i < count; ++i)
      rows(row, i) =
          static_cast<T>(static_cast<float>((communicator.rank() + 1) * (row + 1 + static_cast<int>(i % 7))));
  const Kokkos::View<T*, Kokkos::LayoutRight, Kokkos::HostSpace> own("own", count);
  Kokkos::deep_copy(own, T(-1.0F));
  communicator.wait(Space(), communicator.start_reduce_scatter(Space(), rows, own, "rows"));
  for (std::size_t i = 0; i < count; ++i)
    ASSERT_EQ(static_cast<float>(own(i)),
              static_cast<float>(ranks * (ranks + 1) / 2 * (communicator.rank() + 1 + static_cast<int>(i % 7))));
}

TEST(MpiCommunicator, hands_each_rank_the_sum_of_its_row) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  for (const std::size_t count : {0U, 1U, 7U, 100'000U}) {
    expect_scattered<float>(communicator, count);
    expect_scattered<double>(communicator, count);
    expect_scattered<BFloat16>(communicator, count);
  }
  const Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace> rows(
      "rows", static_cast<std::size_t>(communicator.size()), 3);
  EXPECT_THROW(communicator.start_reduce_scatter(Space(), rows, Vector<float>("other", 2)), std::invalid_argument);
}

TEST(MpiCommunicator, gathers_rows_from_elsewhere_while_others_are_under_way) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(communicator.size());
  const Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace> rows("rows", ranks, 5);
  const Vector<float> own = multiples<float>(communicator.rank(), 5);
  const Vector<float> summed = multiples<float>(communicator.rank(), 7);
  const auto first = communicator.start_all_gather(Space(), own, rows, "rows");
  const auto second = communicator.start_all_reduce(Space(), summed);
  EXPECT_GT(second, first);
  communicator.wait(Space(), first);
  for (std::size_t rank = 0; rank < ranks; ++rank)
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(rows(rank, i), static_cast<float>((rank + 1) * (i + 1)));
  communicator.wait(Space(), second);
  EXPECT_TRUE(is_sum_of_multiples(summed, communicator.size()));
  communicator.wait(Space(), first);
}

TEST(MpiCommunicator, hands_the_bytes_of_all_ranks_to_rank_0) {
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const std::vector<std::byte> own(static_cast<std::size_t>(3 * communicator.rank()), std::byte(communicator.rank()));
  int next = 0;
  communicator.gather_to_root(own, [&](int rank, std::span<const std::byte> bytes) {
    EXPECT_EQ(rank, next++);
    EXPECT_EQ(bytes.size(), static_cast<std::size_t>(3 * rank));
    for (const std::byte byte : bytes) EXPECT_EQ(byte, std::byte(rank));
  });
  EXPECT_EQ(next, communicator.rank() == 0 ? communicator.size() : 0);
}

TEST(MpiCommunicator, sums_a_matrix_as_one_message) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const Kokkos::View<float**, Kokkos::LayoutRight, Kokkos::HostSpace> matrix("matrix", 3, 5);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 5; ++j) matrix(i, j) = static_cast<float>(10 * i + j);
  communicator.all_reduce(Space(), matrix);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 5; ++j)
      EXPECT_EQ(matrix(i, j), static_cast<float>(communicator.size()) * static_cast<float>(10 * i + j));
}

TEST(MpiCommunicator, reduces_scalars) {
  const Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const int ranks = world_size();
  EXPECT_EQ(communicator.sum(0.5 + communicator.rank()), 0.5 * ranks + 0.5 * ranks * (ranks - 1));
  // The upper bits too, which an exchange as double would lose.
  const std::uint64_t base = std::uint64_t{0xfffffffffffff000};
  const auto mine = base + static_cast<std::uint64_t>(communicator.rank());
  EXPECT_EQ(communicator.minimum(mine), base);
  EXPECT_EQ(communicator.maximum(mine), base + static_cast<std::uint64_t>(ranks) - 1);
  communicator.barrier();
}

TEST(MpiCommunicator, goes_on_after_a_move) {
  Communicator<MpiSpace> first(MPI_COMM_WORLD);
  Communicator<MpiSpace> second(std::move(first));
  EXPECT_EQ(second.rank(), world_rank());
  EXPECT_EQ(second.sum(1.0), world_size());
  Communicator<MpiSpace> third(MPI_COMM_SELF);
  third = std::move(second);
  EXPECT_EQ(third.rank(), world_rank());
  EXPECT_EQ(third.size(), world_size());
  EXPECT_EQ(third.sum(1.0), world_size());
  auto& same = third;
  third = std::move(same);
  EXPECT_EQ(third.sum(1.0), world_size());
}

TEST(MpiCommunicator, keeps_to_the_ranks_of_its_group) {
  MPI_Comm half = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, world_rank() % 2, -world_rank(), &half);
  Communicator<MpiSpace> communicator(half);
  // It holds a communicator of its own, so the caller's may go.
  MPI_Comm_free(&half);
  const int size = (world_size() + 1 - world_rank() % 2) / 2;
  EXPECT_EQ(communicator.size(), size);
  EXPECT_EQ(communicator.rank(), size - 1 - world_rank() / 2);
  const Vector<double> vector = multiples<double>(communicator.rank(), 10);
  communicator.all_reduce(Space(), vector);
  EXPECT_TRUE(is_sum_of_multiples(vector, size));
}

TEST(MpiCommunicator, has_one_message_under_way) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const Vector<float> first = multiples<float>(communicator.rank(), 200'000);
  const Vector<double> second = multiples<double>(communicator.rank(), 50'000);
  communicator.start_all_reduce(Space(), first);
  communicator.start_all_reduce(Space(), second);
  EXPECT_TRUE(is_sum_of_multiples(first, world_size()));
  EXPECT_EQ(communicator.sum(2.0), 2.0 * world_size());
  for (int i = 0; i < 10; ++i) communicator.progress();
  communicator.wait(Space());
  EXPECT_TRUE(is_sum_of_multiples(second, world_size()));
  // Without one there is nothing to wait for.
  communicator.progress();
  communicator.wait(Space());
}

TEST(MpiCommunicator, does_not_mix_with_messages_of_the_caller) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const Vector<float> ours = multiples<float>(communicator.rank(), 1000);
  const Vector<float> callers = multiples<float>(communicator.rank() + 1, 1000);
  MPI_Request request = MPI_REQUEST_NULL;
  // Ranks start the two in different orders, which two collectives on one communicator would not survive.
  for (const bool our_turn : {communicator.rank() % 2 == 0, communicator.rank() % 2 != 0}) {
    if (our_turn) {
      communicator.start_all_reduce(Space(), ours);
    } else {
      MPI_Iallreduce(MPI_IN_PLACE, callers.data(), 1000, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD, &request);
    }
  }
  communicator.wait(Space());
  MPI_Wait(&request, MPI_STATUS_IGNORE);
  EXPECT_TRUE(is_sum_of_multiples(ours, world_size()));
  EXPECT_FALSE(is_sum_of_multiples(callers, world_size()));
}

TEST(MpiCommunicator, refuses_a_message_beyond_32_bit_counts) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  float one = 0.0F;
  // Nothing may look at the elements, of which there is but one.
  const Kokkos::View<float*, Kokkos::LayoutRight, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> huge(
      &one, std::size_t{1} << 31);
  try {
    communicator.all_reduce(Space(), huge);
    FAIL() << "a message of 2^31 elements was sent";
  } catch (const CommunicationError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("2147483648 elements"));
  }
}

TEST(check_mpi, throws_the_name_of_the_call_with_the_text_of_mpi) {
  EXPECT_NO_THROW(check_mpi(MPI_SUCCESS, "MPI_Call"));
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  MPI_Error_string(MPI_ERR_COUNT, text, &length);
  ASSERT_GT(length, 0);
  try {
    check_mpi(MPI_ERR_COUNT, "MPI_Call");
    FAIL() << "an error code passed";
  } catch (const CommunicationError& error) {
    EXPECT_EQ(error.what(), "MPI_Call: " + std::string(text, static_cast<std::size_t>(length)));
  }
}

}  // namespace
}  // namespace Sward::Test
