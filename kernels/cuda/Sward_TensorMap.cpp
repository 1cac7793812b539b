#include "Sward_TensorMap.hpp"

#include <cudaTypedefs.h>
#include <cuda_runtime_api.h>

#include <stdexcept>
#include <string>

namespace Sward {

namespace {

PFN_cuTensorMapEncodeTiled_v12000 find_encoder() {
  constexpr unsigned cuda_version = 12000;
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t code =
      cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, cuda_version, cudaEnableDefault, &found);
  if (code != cudaSuccess || found != cudaDriverEntryPointSuccess)
    throw std::runtime_error(std::string("cuTensorMapEncodeTiled is not in the driver: ") + cudaGetErrorString(code));
  return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function);
}

}  // namespace

CUtensorMap map_tiles(const DeviceMatrix& matrix, int rows) {
  static const PFN_cuTensorMapEncodeTiled_v12000 encode = find_encoder();
  const cuuint64_t extents[] = {static_cast<cuuint64_t>(matrix.columns), static_cast<cuuint64_t>(matrix.rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(matrix.stride) * 2};
  const cuuint32_t tile[] = {tile_columns, static_cast<cuuint32_t>(rows)};
  const cuuint32_t steps[] = {1, 1};
  CUtensorMap map;
  const CUresult code = encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<void*>(matrix.data), extents,
                               strides, tile, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                               CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (code != CUDA_SUCCESS)
    throw std::runtime_error("cuTensorMapEncodeTiled: error " + std::to_string(code) + ", for a matrix of " +
                             std::to_string(matrix.rows) + " x " + std::to_string(matrix.columns) + " with rows " +
                             std::to_string(matrix.stride) + " apart");
  return map;
}

}  // namespace Sward
