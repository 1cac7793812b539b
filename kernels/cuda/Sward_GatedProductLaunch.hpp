#pragma once

#include <cuda_runtime.h>

#include "Sward_GatedProduct.hpp"
#include "Sward_TileProduct.hpp"

namespace Sward {

void require_served(const char* function, const GatedProductShape& shape);
void check_launch(cudaError_t code, const char* function, const GatedProductShape& shape);
void count_gated_product();

/// Clusters of a kernel that run at one time on the current device.
template <class Work>
int resident_clusters(const char* function, const GatedProductShape& shape) {
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = dim3(cluster_blocks);
  configuration.blockDim = dim3(block_threads);
  configuration.dynamicSmemBytes = TileMemory<Work>::bytes;
  int clusters = 0;
  check_launch(cudaFuncSetAttribute(tile_product_kernel<Work>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    TileMemory<Work>::bytes),
               function, shape);
  check_launch(cudaOccupancyMaxActiveClusters(&clusters, tile_product_kernel<Work>, &configuration), function, shape);
  return clusters;
}

/// Queues the product of as many tiles as cover `tokens` rows and `width` columns.
template <class Work>
void launch_tile_product(const char* function, cudaStream_t stream, const GatedProductShape& shape,
                         typename Work::Operands o) {
  static const int clusters = resident_clusters<Work>(function, shape);
  constexpr int cluster_rows = cluster_blocks * block_rows;
  o.rows = static_cast<int>(shape.tokens);
  o.columns = static_cast<int>(shape.width);
  o.inner = static_cast<int>(shape.hidden);
  o.order = {(o.rows + cluster_rows - 1) / cluster_rows, (o.columns + Work::columns - 1) / Work::columns};
  const int tiles = o.order.row_tiles * o.order.column_tiles;
  const int blocks = (tiles < clusters ? tiles : clusters) * cluster_blocks;
  tile_product_kernel<Work><<<static_cast<unsigned>(blocks), block_threads, TileMemory<Work>::bytes, stream>>>(o);
  check_launch(cudaGetLastError(), function, shape);
  count_gated_product();
}

}  // namespace Sward
