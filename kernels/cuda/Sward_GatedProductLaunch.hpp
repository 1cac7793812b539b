#pragma once

#include <cuda_runtime.h>

#include <stdexcept>
#include <string>

#include "Sward_GatedProduct.hpp"
#include "Sward_TileProduct.hpp"

namespace Sward {

inline void check_gated(cudaError_t code, const char* function) {
  if (code != cudaSuccess) throw std::runtime_error(std::string(function) + ": " + cudaGetErrorString(code));
}

/// Clusters of the kernel that run at one time.
template <class Work>
int resident_clusters(const char* function) {
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = dim3(cluster_blocks);
  configuration.blockDim = dim3(tile_product_threads);
  configuration.dynamicSmemBytes = Work::Shape::shared_bytes;
  int clusters = 0;
  check_gated(cudaFuncSetAttribute(tile_product_kernel<Work>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   Work::Shape::shared_bytes),
              function);
  check_gated(cudaOccupancyMaxActiveClusters(&clusters, tile_product_kernel<Work>, &configuration), function);
  return clusters;
}

template <class Work>
void launch_tile_product(const char* function, cudaStream_t stream, const typename Work::Operands& o) {
  static const int clusters = resident_clusters<Work>(function);
  const int tiles = o.order.row_tiles * o.order.column_tiles;
  const int blocks = (tiles < clusters ? tiles : clusters) * cluster_blocks;
  tile_product_kernel<Work>
      <<<static_cast<unsigned>(blocks), tile_product_threads, Work::Shape::shared_bytes, stream>>>(o);
  check_gated(cudaGetLastError(), function);
}

}  // namespace Sward
