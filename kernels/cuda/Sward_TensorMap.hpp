#pragma once

#include <cuda.h>

#include <cstdint>

namespace Sward {

/// A row-major matrix of bfloat16 in global memory.
struct DeviceMatrix {
  const void* data;            ///< a multiple of 16 bytes
  std::int64_t rows, columns;  ///< at least 1
  std::int64_t stride;         ///< elements from one row to the next, a multiple of 8
};

/// The copy engine's description of tiles of `tile_rows` x 64 elements of the matrix, in shared memory with rows of 128
/// bytes whose pieces of 16 bytes are exchanged as tensor cores read them ("128-byte swizzle").
/// Throws std::runtime_error where the driver refuses it.
CUtensorMap map_tiles(const DeviceMatrix& matrix, int tile_rows, int tile_columns = 64);

}  // namespace Sward
