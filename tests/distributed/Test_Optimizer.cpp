#include <gtest/gtest.h>

#include "Sward_OptimizerTrial.hpp"

// The optimizer against plain loops in double, on every number of ranks that this executable is started with.

namespace Sward::Test {
namespace {

class OptimizerAgainstReference : public ::testing::TestWithParam<TrialOptions> {};

TEST_P(OptimizerAgainstReference, WeightsNormsAndBytes) {
  Communicator<MpiSpace> communicator;
  compare_with_reference(GetParam(), communicator);
}

TrialOptions trial(bool grass, std::size_t rank, long interval, long warmup, double decay, double clip,
                   std::size_t micro_batches) {
  return {grass, rank, interval, warmup, decay, clip, micro_batches, 8};
}

INSTANTIATE_TEST_SUITE_P(Options, OptimizerAgainstReference,
                         ::testing::Values(trial(true, 3, 3, 0, 0.0, 0.0, 1), trial(true, 3, 3, 2, 0.1, 0.0, 2),
                                           trial(true, 2, 4, 5, 0.0, 1.5, 3), trial(true, 100, 5, 0, 0.1, 0.0, 2),
                                           trial(true, 1, 1, 0, 0.0, 0.0, 1), trial(false, 0, 1, 0, 0.1, 0.0, 1),
                                           trial(false, 0, 1, 0, 0.0, 2.0, 3)));

}  // namespace
}  // namespace Sward::Test
