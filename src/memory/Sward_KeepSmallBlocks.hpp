#pragma once

#include <Kokkos_Core.hpp>
#include <array>
#include <cstddef>
#include <cstdlib>

#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Has each host thread's C library hold as many freed small blocks as it ever does (7 of a size in glibc).
///
/// The library of matrix products asks for aligned buffers, and the C library leaves a small block behind each. A small
/// block that it holds on to is not joined with what lies around it: the freed buffer below could not grow back into
/// the rest of the heap, the next one would lie above it, and a run would take more and more memory, by chance. Nothing
/// on devices, whose products take no memory of the process.
template <class ExecutionSpace>
void keep_small_blocks([[maybe_unused]] const ExecutionSpace& space) {
  if constexpr (runs_on_host<ExecutionSpace>) {
    constexpr std::size_t kept = 7;
    constexpr std::size_t step = 16;
    constexpr std::size_t largest = 256;
    using Policy = Kokkos::RangePolicy<ExecutionSpace, Kokkos::Schedule<Kokkos::Static>>;
    Kokkos::parallel_for("Sward::keep_small_blocks", Policy(space, 0, space.concurrency(), Kokkos::ChunkSize(1)),
                         [](int) {
                           std::array<void*, kept * largest / step> blocks{};
                           for (std::size_t i = 0; i < blocks.size(); ++i)
                             blocks[i] = std::malloc((i / kept + 1) * step);
                           for (void* block : blocks) std::free(block);
                         });
  }
}

}  // namespace Sward
