#pragma once

#include <cuda.h>

#include <cstdint>

namespace Sward {

/// A row-major matrix of bfloat16 in the memory of a device.
struct DeviceMatrix {
  const void* data;            ///< at a multiple of 16 bytes
  std::int64_t rows, columns;  ///< 1 or more
  std::int64_t stride;         ///< elements from one row to the next, a multiple of 8
};

/// Columns of a tile, and the bytes of its rows.
constexpr int tile_columns = 64;
constexpr int tile_row_bytes = 128;

/// What the copy engine needs to know of tiles of `rows` (256 at most) x 64 elements of the matrix. In shared
/// memory the eight pieces of 16 bytes of a row are exchanged by the row's number, as tensor cores read them.
/// Throws std::runtime_error where the driver refuses it.
CUtensorMap map_tiles(const DeviceMatrix& matrix, int rows);

}  // namespace Sward
