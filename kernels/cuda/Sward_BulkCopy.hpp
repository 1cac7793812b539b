#pragma once

// Copies of whole tiles by the copy engine of sm_90 (TMA), and the barriers in shared memory that count their bytes.
// All addresses are of shared memory; `x` and `y` are the column and row of a tile's first element. A tile that reaches
// over the matrix's edge is filled up with zeros when loaded, and cut off when stored.

#include <cuda.h>

#include <cstdint>

namespace Sward {

constexpr std::uint32_t barrier_bytes = 8;

__device__ __forceinline__ void create_barrier(std::uint32_t barrier, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}

/// Shows new barriers to the copy engine and to the other blocks of the cluster, which has to be synchronised after it.
__device__ __forceinline__ void publish_barriers() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void synchronize_cluster() {
  asm volatile(
      "barrier.cluster.arrive.release.aligned;\n"
      "barrier.cluster.wait.acquire.aligned;" ::
          : "memory");
}

__device__ __forceinline__ int rank_in_cluster() {
  int rank;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

__device__ __forceinline__ void arrive(std::uint32_t barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

/// Arrives at the barrier with this address in the given block of the cluster.
__device__ __forceinline__ void arrive_in_cluster(std::uint32_t barrier, int block) {
  asm volatile(
      "{.reg .b32 remote;\n"
      "mapa.shared::cluster.u32 remote, %0, %1;\n"
      "mbarrier.arrive.shared::cluster.b64 _, [remote];}" ::"r"(barrier),
      "r"(block)
      : "memory");
}

/// Arrives, and makes the barrier wait for so many bytes of copies too.
__device__ __forceinline__ void arrive_and_expect(std::uint32_t barrier, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}

/// Waits for the end of the barrier's phase with this parity, 0 for the first.
__device__ __forceinline__ void wait_for_phase(std::uint32_t barrier, int parity) {
  asm volatile(
      "{.reg .pred complete;\n"
      "again: mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
      "@!complete bra again;}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

__device__ __forceinline__ void load_tile(const CUtensorMap& map, std::uint32_t target, std::uint32_t barrier, int x,
                                          int y) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::
          "r"(target),
      "l"(&map), "r"(barrier), "r"(x), "r"(y)
      : "memory");
}

/// Starts to bring a tile into the second-level cache.
__device__ __forceinline__ void prefetch_tile(const CUtensorMap& map, int x, int y) {
  asm volatile("cp.async.bulk.prefetch.tensor.2d.L2.global.tile [%0, {%1, %2}];" ::"l"(&map), "r"(x), "r"(y)
               : "memory");
}

/// The same to the same addresses of all blocks in `mask`, and their barriers.
__device__ __forceinline__ void load_tile_to_all(const CUtensorMap& map, std::uint32_t target, std::uint32_t barrier,
                                                 int x, int y, std::uint16_t mask) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
      "[%1, {%4, %5}], [%2], %3;" ::"r"(target),
      "l"(&map), "r"(barrier), "h"(mask), "r"(x), "r"(y)
      : "memory");
}

/// What this thread stored to shared memory, and knows to be stored, may then be read by copies and products.
__device__ __forceinline__ void publish_to_copies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

__device__ __forceinline__ void store_tile(const CUtensorMap& map, std::uint32_t source, int x, int y) {
  asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%2, %3}], [%1];" ::"l"(&map),
               "r"(source), "r"(x), "r"(y)
               : "memory");
}

/// Waits until this thread's stores have read all of their tiles.
__device__ __forceinline__ void wait_for_stores_to_read() {
  asm volatile(
      "cp.async.bulk.commit_group;\n"
      "cp.async.bulk.wait_group.read 0;" ::
          : "memory");
}

/// Registers of each thread of this warpgroup from here on.
template <int count>
__device__ __forceinline__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
__device__ __forceinline__ void leave_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}

}  // namespace Sward
