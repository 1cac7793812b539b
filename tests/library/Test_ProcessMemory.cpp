#include <gtest/gtest.h>

#include "Sward_Configuration.hpp"
#include "Sward_ProcessMemory.hpp"
#include "Sward_ResidentMemory.hpp"

namespace Sward::Test {
namespace {

TEST(ProcessMemory, CountsTheProcessButNotTheOperandsOfItsProducts) {
  const ResidentMemory before = read_resident_memory();
  // 65 billion parameters: the head alone has 1 GB of weights, which must show nowhere.
  Configuration configuration;
  configuration.shape = preset_shape("llama-65b");
  configuration.data.sequence_length = 256;
  configuration.batch = {1, 1};
  configuration.optimizer.grass_constants.rank = 128;
  const std::size_t process = measure_process(configuration, 131, 0);
  const ResidentMemory after = read_resident_memory();
  EXPECT_GE(process + (std::size_t{4} << 20), before.now);
  // A packed block of every thread is less than this; the operands take as much again.
  const auto threads = static_cast<std::size_t>(Kokkos::DefaultExecutionSpace().concurrency());
  const std::size_t blocks = threads * (std::size_t{32} << 20);
  EXPECT_LT(process, before.peak + blocks);
  EXPECT_LT(after.now, before.now + blocks);
  EXPECT_LT(after.peak, before.peak + 2 * blocks);
}

}  // namespace
}  // namespace Sward::Test
