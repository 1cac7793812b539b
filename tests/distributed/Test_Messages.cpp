#include <gtest/gtest.h>
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_Fnv1a.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_SelectionCheck.hpp"
#include "Sward_TrainingFixture.hpp"

// Every collective of the library passes through these functions of MPI's profiling interface, which count what
// this rank hands over.

namespace {

std::uint64_t vector_bytes = 0;
std::uint64_t scalar_calls = 0;

void count_payload(int count, MPI_Datatype type) {
  int size = 0;
  PMPI_Type_size(type, &size);
  if (type == MPI_DOUBLE) return;  // norms
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

extern "C" int MPI_Ireduce_scatter_block(const void* send, void* receive, int count, MPI_Datatype type,
                                         MPI_Op operation, MPI_Comm communicator, MPI_Request* request) {
  int ranks = 0;
  PMPI_Comm_size(communicator, &ranks);
  count_payload(ranks * count, type);
  return PMPI_Ireduce_scatter_block(send, receive, count, type, operation, communicator, request);
}

extern "C" int MPI_Iallgather(const void* send, int send_count, MPI_Datatype send_type, void* receive,
                              int receive_count, MPI_Datatype receive_type, MPI_Comm communicator,
                              MPI_Request* request) {
  count_payload(receive_count, receive_type);  // of one rank
  return PMPI_Iallgather(send, send_count, send_type, receive, receive_count, receive_type, communicator, request);
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
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
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

TEST(Messages, OfSharedStatesEqualThePlan) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::uint64_t>(communicator.size());
  OptimizerOptions options = options_for(true, 5);
  TrainingFixture whole(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none, options,
                        communicator);
  options.shard = {communicator.rank(), communicator.size()};
  TrainingFixture shared(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none, options,
                         communicator);
  const std::uint64_t regular = shared.optimizer().planned_bytes(false);
  const std::uint64_t refresh = shared.optimizer().planned_bytes(true);
  EXPECT_EQ(measured_bytes(shared), (std::vector<std::uint64_t>{refresh, regular, regular, refresh}));
  // By hand: 5 of 24 rows or columns of each of 3 layers' matrices, across which ranks have 16 or 32 of 24 (attention)
  // and of 40 (MLP); the same of the 31 rows, whole ones, of embedding and head.
  const auto share = [&](std::uint64_t extent) { return ((extent + ranks - 1) / ranks + 15) / 16 * 16; };
  const std::uint64_t pieces = 3 * 5 * (4 * share(24) + 3 * share(40)) + 2 * share(31) * 24;
  EXPECT_EQ(regular - whole.optimizer().planned_bytes(false), ranks > 1 ? sizeof(float) * pieces : 0);
}

TEST(Messages, OfSharedWeightsEqualThePlan) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::uint64_t>(communicator.size());
  if (ranks == 1) GTEST_SKIP() << "one rank has all weights";
  OptimizerOptions options = options_for(true, 5);
  options.shard = {communicator.rank(), communicator.size(), true};
  options.micro_batches = 2;
  for (const bool tied : {false, true}) {
    LlamaShape shape = shape_for_messages();
    shape.tie_embeddings = tied;
    TrainingFixture shared(TrainingFixture::Space(), shape, {1, 6, true}, Recompute::block, options, communicator);
    const std::uint64_t regular = shared.optimizer().planned_bytes(false);
    const std::uint64_t refresh = shared.optimizer().planned_bytes(true);
    EXPECT_EQ(measured_bytes(shared), (std::vector<std::uint64_t>{refresh, regular, regular, refresh}));
    // By hand: shares as of states, norms being the first rank's; of 3 layers in 2 passes the weights come together 3,
    // 4 and 2 times, of embedding and head 2 times, or once where they are one.
    const auto share = [&](std::uint64_t extent) {
      return std::min(extent, ((extent + ranks - 1) / ranks + 15) / 16 * 16);
    };
    const std::uint64_t matrices = 4 * share(24) + 3 * share(40);
    const std::uint64_t outside = (tied ? 1 : 2) * share(31) * 24 + 24;
    const std::uint64_t gradients = ranks * (3 * (5 * matrices + 2 * 24) + outside);
    const std::uint64_t weights = 9 * (24 * matrices + 2 * 24) + (tied ? 1 : 2) * outside;
    EXPECT_EQ(regular, sizeof(float) * (gradients + weights));
    EXPECT_EQ(refresh, regular + sizeof(float) * 3 * (4 * 24 * 24 + 3 * 24 * 40));
  }
}

void expect_same_weights_on_all_ranks(TrainingFixture& training, const ProcessGroup& communicator) {
  for (std::size_t i = 0; i < training.model().weights().size(); ++i) {
    training.model().fetch_weight(TrainingFixture::Space(), i);
    const auto weight = training.model().weights()[i];
    const std::uint64_t hash = fnv1a(bytes_of(weight.data(), weight.size()));
    EXPECT_EQ(communicator.minimum(hash), communicator.maximum(hash));
  }
}

TEST(Messages, AllRanksHoldTheSameWeightsAfterwards) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  for (const auto& [bfloat16, shared, of_weights] : {std::tuple(false, false, false),
                                                     {true, false, false},
                                                     {false, true, false},
                                                     {false, true, true},
                                                     {true, true, true}}) {
    OptimizerOptions options = options_for(true, 5);
    options.bfloat16_messages = bfloat16;
    if (shared) options.shard = {communicator.rank(), communicator.size(), of_weights};
    TrainingFixture training(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::block, options,
                             communicator);
    for (int step = 0; step < 5; ++step) training.update(step, 1);
    expect_same_weights_on_all_ranks(training, communicator);
  }
}

TEST(Messages, InBFloat16TakeHalfTheBytes) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  OptimizerOptions options = options_for(true, 5);
  TrainingFixture whole(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none, options,
                        communicator);
  options.bfloat16_messages = true;
  TrainingFixture half(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none, options,
                       communicator);
  EXPECT_EQ(2 * half.optimizer().planned_bytes(false), whole.optimizer().planned_bytes(false));
  // Each element is rounded before it is sent, and once at each of ranks - 1 additions.
  const double norm = whole.update(0, 1);
  EXPECT_NEAR(half.update(0, 1), norm, communicator.size() * 0x1p-8 * norm);
  EXPECT_EQ(measured_bytes(half)[1], half.optimizer().planned_bytes(false));
}

/// The tokens of 1 x 6 inputs that rank 0 to the last one have, in order.
std::vector<int> occurring(const TrainingFixture& training, const ProcessGroup& communicator) {
  std::vector<std::uint64_t> bits(1);
  for (const std::int32_t token : training.inputs()) bits[0] |= std::uint64_t{1} << token;
  bits = communicator.merge(bits);
  std::vector<int> tokens;
  for (int token = 0; token < 64; ++token)
    if ((bits[0] >> token & 1U) != 0) tokens.push_back(token);
  return tokens;
}

TEST(Messages, OfTheEmbeddingsRowsThatOccurGiveTheSameWeights) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  OptimizerOptions options = options_for(true, 5);
  TrainingFixture dense(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none, options,
                        communicator);
  options.embedding_rows = 31;
  TrainingFixture rows(TrainingFixture::Space(), shape_for_messages(), {1, 6, true}, Recompute::none, options,
                       communicator);
  EXPECT_EQ(rows.optimizer().planned_bytes(false), dense.optimizer().planned_bytes(false));
  const std::vector<int> tokens = occurring(rows, communicator);
  ASSERT_LT(tokens.size(), 31U);
  for (int step = 0; step < 3; ++step) {
    vector_bytes = 0;
    dense.update(step, 1);
    const std::uint64_t dense_bytes = vector_bytes;
    vector_bytes = 0;
    rows.update_rows(step, tokens);
    EXPECT_EQ(dense_bytes - vector_bytes, sizeof(float) * 24 * (31 - tokens.size()));
    EXPECT_EQ(rows.optimizer().communicated_bytes(), vector_bytes);
  }
  // MPI may add up ranks in another order where a message is shorter.
  for (std::size_t i = 0; i < dense.model().weights().size(); ++i)
    EXPECT_TRUE(all_close(rows.model().weights()[i], dense.model().weights()[i], 1e-5, 1e-6));
  expect_same_weights_on_all_ranks(rows, communicator);
}

TEST(Messages, DifferentSelectionsAreNoticed) {
  using Space = TrainingFixture::Space;
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
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
