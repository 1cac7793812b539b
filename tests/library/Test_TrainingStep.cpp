#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <set>
#include <string>
#include <vector>

#include "Sward_LaunchRecording.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_TestSpaces.hpp"
#include "Sward_TrainingFixture.hpp"

// What a training step does besides arithmetic, seen through the callbacks of Kokkos Tools: allocations, the labels of
// its launches and the instances they run on.

namespace Sward::Test {
namespace {

LlamaShape test_shape() {
  LlamaShape shape;
  shape.hidden_size = 48;
  shape.intermediate_size = 100;
  shape.num_heads = 4;
  shape.num_key_value_heads = 2;
  shape.num_layers = 2;
  shape.vocab_size = 97;
  return shape;
}

OptimizerOptions grass_options(Selection selection, std::int64_t rank = 8) {
  OptimizerOptions options;
  options.clip = 1.0;
  options.grass_constants.rank = rank;
  options.grass_constants.selection = selection;
  options.grass_constants.refresh_interval = 2;
  return options;
}

/// Passes everything on but what it wants of factors: the optimizer gathers for itself.
class WholeFactorsSink : public GradientSink<TrainingFixture::Space, float> {
 public:
  explicit WholeFactorsSink(GradientSink& sink) : sink_(sink) {}
  void accept_factors(int parameter, ConstMatrix output_gradient, ConstMatrix input) override {
    sink_.accept_factors(parameter, output_gradient, input);
  }
  DenseGradient dense_gradient(int parameter) override { return sink_.dense_gradient(parameter); }
  void complete(int parameter) override { sink_.complete(parameter); }

 private:
  GradientSink& sink_;
};

class TrainingStep : public ::testing::TestWithParam<Selection> {};

TEST_P(TrainingStep, AllocatesNothing) {
  const TrainingFixture::Space space;
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  TrainingFixture training(space, test_shape(), {2, 24, true}, Recompute::attention, grass_options(GetParam()),
                           communicator);
  // Kokkos makes scratch of its own for the largest teams and reductions that it meets, and keeps it.
  for (int step = 0; step < 2; ++step) training.update(step, 2);
  const LaunchRecording recording;
  for (int step = 2; step < 5; ++step) training.update(step, 2);
  EXPECT_GT(recording.launches().size(), 100U);
  const std::vector<std::string>& allocations = recording.allocations();
  EXPECT_TRUE(allocations.empty()) << allocations.size() << " allocations, the first: " << allocations.front();
}

TEST_P(TrainingStep, LaunchesCarryOurLabelsAndTheGivenInstance) {
  const auto space = other_instance<TrainingFixture::Space>();
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  TrainingFixture training(space, test_shape(), {2, 24, true}, Recompute::block, grass_options(GetParam()),
                           communicator);
  const LaunchRecording recording;
  for (int step = 0; step < 3; ++step) training.update(step, 1);
  // Kokkos gives all instances of a host backend one number; tests/kernels/Test_Launches.cpp tells them apart on GPUs.
  const std::uint32_t expected = Kokkos::Tools::Experimental::device_id(space);
  std::set<std::string> foreign;
  std::set<std::string> elsewhere;
  for (const Launch& launch : recording.launches()) {
    if (launch.label.rfind("Sward::", 0) != 0) foreign.insert(launch.label);
    if (launch.device != expected) elsewhere.insert(launch.label);
  }
  EXPECT_GT(recording.launches().size(), 100U);
  EXPECT_TRUE(foreign.empty()) << "label without our prefix: " << *foreign.begin();
  EXPECT_TRUE(elsewhere.empty()) << "on another instance: " << *elsewhere.begin();
}

/// Weights after updates of which two choose rows.
std::vector<float> trained_weights(const OptimizerOptions& options, std::size_t micro_batches, bool writes_columns) {
  const TrainingFixture::Space space;
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  TrainingFixture training(space, test_shape(), {2, 24, true}, Recompute::attention, options, communicator);
  WholeFactorsSink whole_factors(training.optimizer());
  for (int step = 0; step < 5; ++step)
    training.update(step, static_cast<int>(micro_batches), 1e-2, writes_columns ? nullptr : &whole_factors);
  std::vector<float> weights;
  for (const auto& weight : training.model().weights()) {
    const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, weight);
    weights.insert(weights.end(), host.data(), host.data() + host.size());
  }
  return weights;
}

TEST_P(TrainingStep, HasTheSameBitsWhereTheModelWritesColumns) {
  using SideRule = GrassConstants::SideRule;
  for (const SideRule side : {SideRule::smaller, SideRule::rows, SideRule::columns}) {
    OptimizerOptions options = grass_options(GetParam());
    options.grass_constants.refresh_interval = 3;
    options.grass_constants.side = side;
    EXPECT_EQ(trained_weights(options, 2, true), trained_weights(options, 2, false));
  }
}

TEST(TrainingStep, OnlyIdleWorkspaceAndOuterMatricesAreAsLargeAsAMatrix) {
  if (!runs_on_host<TrainingFixture::Space>) GTEST_SKIP() << "sums of GPUs have more parts than these small matrices";
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  const LlamaShape shape = test_shape();
  // One short sequence and one row a matrix, so that neither an activation nor a layer's message, which holds the
  // compressed gradients of nine parameters, reaches the size of a weight.
  const TrainingFixture training(TrainingFixture::Space(), shape, {1, 3, true}, Recompute::none,
                                 grass_options(Selection::norm, 1), communicator);
  const auto smallest = static_cast<std::size_t>(shape.key_value_size() * shape.hidden_size);
  std::vector<std::string> large;
  for (const ArenaBlock& block : training.arena().blocks())
    if (block.kind != BlockKind::weight && block.elements >= smallest) large.push_back(block.label);
  const std::vector<std::string> allowed{"refresh gradient",
                                         "model.embed_tokens.weight first moment",
                                         "model.embed_tokens.weight second moment",
                                         "lm_head.weight first moment",
                                         "lm_head.weight second moment",
                                         "embedding gradients",
                                         "head gradients"};
  for (const std::string& label : large)
    EXPECT_NE(std::find(allowed.begin(), allowed.end(), label), allowed.end()) << label;
  EXPECT_EQ(large.size(), allowed.size());
}

INSTANTIATE_TEST_SUITE_P(Selections, TrainingStep,
                         ::testing::Values(Selection::top_r, Selection::norm, Selection::norm_replacement,
                                           Selection::uniform));

}  // namespace
}  // namespace Sward::Test
