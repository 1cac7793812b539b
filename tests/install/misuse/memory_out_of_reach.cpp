// Sward: the execution space must reach the memory of all operands
#include "Sward_Misuse.hpp"
#include "Sward_Scale.hpp"

namespace Sward::Misuse {
namespace {

#ifdef SWARD_MISUSE
/// Stands for the memory of a device that the build has none of.
struct FarMemory {
  using memory_space = FarMemory;
  using execution_space = Space;
  using size_type = std::size_t;
  using device_type = Kokkos::Device<execution_space, memory_space>;
  static constexpr const char* name() { return "Far"; }
};
using MemoryOutOfReach = Kokkos::View<float**, Kokkos::LayoutRight, FarMemory, Kokkos::MemoryUnmanaged>;
#else
using MemoryOutOfReach = Kokkos::View<float**, Kokkos::HostSpace>;
#endif

[[maybe_unused]] void memory_out_of_reach(const Space& space, const MemoryOutOfReach& values) {
  scale(space, values, 2.0F);
}

}  // namespace
}  // namespace Sward::Misuse
