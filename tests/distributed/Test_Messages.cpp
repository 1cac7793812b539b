#include <gtest/gtest.h>
#include <mpi.h>

#include <cstdint>
#include <vector>

#include "Sward_SelectionCheck.hpp"
#include "Sward_TrainingFixture.hpp"

// Every collective of the library passes through these two functions of MPI's profiling interface, which count what
// this rank hands over.

namespace {

std::uint64_t vector_bytes = 0;
std::uint64_t scalar_calls = 0;

void count_payload(int count, MPI_Datatype type) {
  int size = 0;
  PMPI_Type_size(type, &size);
  if (count > 1) vector_bytes += static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(size);
  if (count == 1) ++scalar_calls;
}

}  // namespace

extern "C" int MPI_Iallreduce(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op operation,
                              MPI_Comm communicator, MPI_Request* request) {
  count_payload(count, type);
  return PMPI_Iallreduce(send, receive, count, type, operation, communicator, request);
}

extern "C" int MPI_Allreduce(const void* send, void* receive, int count, MPI_Datatype type, MPI_Op operation,
                             MPI_Comm communicator) {
  count_payload(count, type);
  return PMPI_Allreduce(send, receive, count, type, operation, communicator);
}

namespace Sward::Test {
namespace {

LlamaShape shape_for_messages() {
  LlamaShape shape;
  shape.hidden_size = 24;
  shape.intermediate_size = 40;
  shape.num_heads = 2;
  shape.num_key_value_heads = 2;
  shape.num_layers = 3;
  shape.vocab_size = 31;
  return shape;
}

OptimizerOptions options_for(bool grass, std::int64_t rank) {
  OptimizerOptions options;
  options.grass = grass;
  options.grass_constants.rank = rank;
  options.grass_constants.refresh_interval = 3;
  return options;
}

/// Bytes that MPI saw in each of four updates, of which 0 and 3 refresh.
std::vector<std::uint64_t> measured_bytes(TrainingFixture& training) {
  std::vector<std::uint64_t> bytes;
  for (int step = 0; step < 4; ++step) {
    vector_bytes = 0;
    training.update(step, 2);
    bytes.push_back(vector_bytes);
    EXPECT_EQ(training.optimizer().communicated_bytes(), vector_bytes);
  }
  return bytes;
}

TEST(Messages, BytesThroughMpiEqualThePlan) {
  Communicator<MpiSpace> communicator;
  TrainingFixture grass(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none,
                        options_for(true, 5), communicator);
  const std::uint64_t regular = grass.optimizer().planned_bytes(false);
  const std::uint64_t refresh = grass.optimizer().planned_bytes(true);
  EXPECT_EQ(measured_bytes(grass), (std::vector<std::uint64_t>{refresh, regular, regular, refresh}));

  TrainingFixture full(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none,
                       options_for(false, 0), communicator);
  const std::uint64_t dense = full.optimizer().planned_bytes(false);
  EXPECT_EQ(measured_bytes(full), (std::vector<std::uint64_t>{dense, dense, dense, dense}));

  // By hand: 7 matrices a layer, of which only 5 of the smaller dimension's 24 are sent; the rest is sent whole.
  const std::uint64_t matrices = 3 * (4 * 24 * 24 + 3 * 24 * 40);
  const std::uint64_t others = 2 * 31 * 24 + 7 * 24;
  EXPECT_EQ(dense, sizeof(float) * (matrices + others));
  EXPECT_EQ(regular, sizeof(float) * (matrices / 24 * 5 + others));
  EXPECT_EQ(refresh, regular + sizeof(float) * matrices);
}

TEST(Messages, AllRanksHoldTheSameWeightsAfterwards) {
  Communicator<MpiSpace> communicator;
  TrainingFixture training(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::block,
                           options_for(true, 5), communicator);
  for (int step = 0; step < 5; ++step) training.update(step, 1);
  for (const auto& weight : training.model().weights()) {
    std::uint64_t hash = 14695981039346656037ULL;
    for (std::size_t i = 0; i < weight.size(); ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &weight.data()[i], sizeof bits);
      hash = (hash ^ bits) * 1099511628211ULL;
    }
    EXPECT_EQ(communicator.minimum(hash), communicator.maximum(hash));
  }
}

TEST(Messages, DifferentSelectionsAreNoticed) {
  using Space = TrainingFixture::Space;
  Communicator<MpiSpace> communicator;
  Kokkos::View<int*, Kokkos::LayoutRight, Space> rows("rows", 3);
  RowSelection<Space> selection;
  selection.rows = rows;
  selection.extent = 10;
  for (int i = 0; i < 3; ++i) rows(static_cast<std::size_t>(i)) = 2 * i;
  EXPECT_NO_THROW(check_same_selection(Space(), selection, "a matrix", communicator));
  if (communicator.size() == 1) return;
  rows(2) += communicator.rank() == 1 ? 1 : 0;
  try {
    check_same_selection(Space(), selection, "a matrix", communicator);
    FAIL() << "ranks with different rows passed";
  } catch (const SelectionError& error) {
    EXPECT_NE(std::string(error.what()).find("a matrix"), std::string::npos);
  }
}

}  // namespace
}  // namespace Sward::Test
