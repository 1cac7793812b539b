#include <gtest/gtest.h>

#include <latch>
#include <thread>
#include <type_traits>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_KernelChain.hpp"
#include "Sward_LaunchRecording.hpp"
#include "Sward_TestSpaces.hpp"

// Threads that call kernels at the same time, each on memory of its own: on one instance, and on one each. Kernels keep
// nothing between calls, so what is left is Kokkos' own, which lets one launch after the other onto an instance.

namespace Sward::Test {
namespace {

constexpr int repetitions = 8;

/// Two instances that work side by side; OpenMP's share the threads, or have one each where there is only one.
template <class Space>
std::vector<Space> two_instances() {
  if constexpr (std::is_same_v<Space, Kokkos::OpenMP>)
    if (Space().concurrency() < 2) return {Space(1), Space(1)};
  return Kokkos::Experimental::partition_space(Space(), std::vector<int>{1, 1});
}

/// Whether two threads may scan on one instance: on GPUs Kokkos' scans are two launches with scratch memory in between,
/// which another thread's launch overwrites (kokkos/kokkos#9291).
template <class Space>
constexpr bool may_scan_together = std::is_same_v<typename Space::memory_space, Kokkos::HostSpace>;

template <class Space>
void run_at_once(const std::vector<Space>& instances, const std::vector<KernelChain<Space>>& chains, bool with_scan) {
  std::latch start(static_cast<std::ptrdiff_t>(chains.size()));
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < chains.size(); ++i)
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      for (int k = 0; k < repetitions; ++k) chains[i].run(instances[i], with_scan);
    });
  for (std::thread& thread : threads) thread.join();
}

/// Both chains run alone, and then others with the same numbers at once. Kokkos allocates scratch memory for the
/// largest teams that an instance meets, once: every instance is to have met them before what is counted.
template <class Space>
void give_the_same_at_once(const std::vector<Space>& instances, bool with_scan) {
  const std::vector<KernelChain<Space>> alone{KernelChain<Space>(1), KernelChain<Space>(100)};
  const std::vector<KernelChain<Space>> together{KernelChain<Space>(1), KernelChain<Space>(100)};
  for (std::size_t i = 0; i < 2; ++i) {
    for (int k = 0; k < repetitions; ++k) alone[i].run(instances[i], with_scan);
    KernelChain<Space>(7).run(instances[i], with_scan);
  }
  Kokkos::fence("Sward::Test");
  {
    const LaunchRecording recording;
    run_at_once(instances, together, with_scan);
    EXPECT_GE(recording.launches().size(), 2U * repetitions * 30U);
    for (const std::string& label : recording.allocations()) ADD_FAILURE() << "allocated: " << label;
    for (const Launch& fence : recording.fences()) ADD_FAILURE() << "waited: " << fence.label;
  }
  Kokkos::fence("Sward::Test");
  for (std::size_t i = 0; i < 2; ++i) {
    const auto expected = alone[i].results();
    const auto actual = together[i].results();
    for (std::size_t k = 0; k < expected.size(); ++k)
      EXPECT_EQ(actual[k].second, expected[k].second) << actual[k].first << " of thread " << i;
    // cuBLAS promises its bits for one stream alone.
    const double tolerance = runs_on_host<Space> ? 0 : 1e-4;
    EXPECT_TRUE(all_close(together[i].product_by_library(), alone[i].product_by_library(), tolerance, tolerance))
        << "of thread " << i;
  }
}

template <class Space>
class ConcurrentInstances : public ::testing::Test {};
TYPED_TEST_SUITE(ConcurrentInstances, TestSpaces);

TYPED_TEST(ConcurrentInstances, GiveTwoThreadsTheBitsOfOne) { give_the_same_at_once(two_instances<TypeParam>(), true); }

TYPED_TEST(ConcurrentInstances, MayBeOneForTwoThreads) {
  give_the_same_at_once(std::vector<TypeParam>(2), may_scan_together<TypeParam>);
}

}  // namespace
}  // namespace Sward::Test
