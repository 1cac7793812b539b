#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstdlib>
#include <set>
#include <thread>

#include "Sward_KeepSmallBlocks.hpp"
#include "Sward_Program.hpp"

namespace Sward::Test {
namespace {

/// In how many places aligned buffers of two sizes lie that are taken and freed in turn, in the heap of a new thread.
std::size_t places_of_buffers(bool keep) {
  std::set<void*> places;
  std::thread thread([&] {
    if (keep) keep_small_blocks(Kokkos::Serial());
    for (int i = 0; i < 20; ++i) {
      void* buffer = nullptr;
      if (posix_memalign(&buffer, 128, i % 2 == 0 ? 800'000 : 600'000) != 0) return;
      places.insert(buffer);
      std::free(buffer);
    }
  });
  thread.join();
  return places.size();
}

TEST(KeepSmallBlocks, LeavesFreedBuffersInOnePlace) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a sanitizer has a heap of its own";
#endif
  run_program("test", [] { return 0; });  // as every program fixes what the C library keeps
  EXPECT_EQ(places_of_buffers(true), 1U);
}

}  // namespace
}  // namespace Sward::Test
