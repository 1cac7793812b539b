#pragma once

// Products of bfloat16 tiles by the tensor cores of sm_90a (wgmma): one group of four warps adds a 64 x 64 tile, in
// float, in the registers of its threads. Thread t of the group holds, for n < 8, the elements 4 n + {0, 1, 2, 3} of
// rows r, r, r + 8, r + 8 and columns c, c + 1, c, c + 1, where r = 16 (t / 32) + t % 32 / 4 and c = 8 n + 2 (t % 4).
// The layouts are those of the PTX ISA's chapter on wgmma.

#include <cstdint>

namespace Sward {

constexpr int tile_rows = 64;
constexpr int tile_values = 32;  // of a thread
constexpr int warpgroup_threads = 128;

/// Before the first product after its registers were written, and where products begin to read what others wrote.
__device__ __forceinline__ void begin_products() { asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory"); }
/// The products queued since the last call form a group.
__device__ __forceinline__ void end_group() { asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory"); }

/// Waits for all threads of the block; what they stored to shared memory may then be read by products.
__device__ __forceinline__ void publish_to_products() {
  asm volatile("fence.proxy.async.shared::cta;\n" ::: "memory");
  __syncthreads();
}

/// Waits for the other warps of the warpgroup with this number.
__device__ __forceinline__ void wait_for_warpgroup(int number) {
  asm volatile("bar.sync %0, %1;" ::"r"(1 + number), "n"(warpgroup_threads) : "memory");
}

template <int count>
__device__ __forceinline__ void pin(float (&values)[count]) {
#pragma unroll
  for (int i = 0; i < count; ++i) asm volatile("" : "+f"(values[i])::"memory");
}

/// Waits until at most `pending` groups are under way. The arguments are the tiles that are complete then: the compiler
/// must not move their use before the wait.
template <int pending, class... Tile>
__device__ __forceinline__ void wait_for_products(Tile&... complete) {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(pending) : "memory");
  (pin(complete), ...);
}

#define SWARD_16(d, i)                                                                                        \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7]), "+f"(d[i + 8]), "+f"(d[i + 9]), "+f"(d[i + 10]), "+f"(d[i + 11]), "+f"(d[i + 12]),      \
      "+f"(d[i + 13]), "+f"(d[i + 14]), "+f"(d[i + 15])
#define SWARD_16_NAMES "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define SWARD_32_NAMES SWARD_16_NAMES ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"

/// d = A Bᵀ, or d + A Bᵀ, of 64 x 16 and 64 or 32 x 16 operands in shared memory.
__device__ __forceinline__ void add_product(float (&d)[32], std::uint64_t a, std::uint64_t b, bool is_added) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" SWARD_32_NAMES "}, %32, %33, p, 1, 1, 0, 0;}\n"
      : SWARD_16(d, 0), SWARD_16(d, 16)
      : "l"(a), "l"(b), "r"(static_cast<int>(is_added)));
}
__device__ __forceinline__ void add_product(float (&d)[16], std::uint64_t a, std::uint64_t b, bool is_added) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %18, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {" SWARD_16_NAMES "}, %16, %17, p, 1, 1, 0, 0;}\n"
      : SWARD_16(d, 0)
      : "l"(a), "l"(b), "r"(static_cast<int>(is_added)));
}

/// d += A B of a 64 x 16 operand in registers and a 16 x 64 one in shared memory; d is 32 values.
__device__ __forceinline__ void add_product(float* d, const std::uint32_t (&a)[4], std::uint64_t b) {
  asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" SWARD_32_NAMES
               "}, {%32, %33, %34, %35}, %36, 1, 1, 1, 1;\n"
               : SWARD_16(d, 0), SWARD_16(d, 16)
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b));
}

#undef SWARD_16
#undef SWARD_16_NAMES
#undef SWARD_32_NAMES

/// `columns` columns of bfloat16, one row a token, in shared memory as the tensor cores read it: panels of 64 columns,
/// whose rows of 128 bytes have their eight pieces of 16 bytes exchanged by the row's number ("128-byte swizzle").
template <int columns>
class Panel {
 public:
  /// `address` must be a multiple of 1024 bytes.
  __device__ Panel(std::uint32_t address, int rows)
      : address_(address), panel_bytes_(rows * row_bytes), description_(describe(address)) {}

  static constexpr int row_bytes = 128;

  __host__ __device__ static constexpr int bytes(int rows) { return rows * columns * 2; }

  __device__ int panel_bytes() const { return panel_bytes_; }

  /// Address of columns 8 piece to 8 piece + 7.
  __device__ std::uint32_t piece(int row, int piece) const {
    return address_ +
           static_cast<std::uint32_t>(piece / 8 * panel_bytes_ + row * row_bytes + ((piece % 8) ^ (row % 8)) * 16);
  }

  /// Columns k to k + 15 of 64 rows, to be added up along the columns.
  __device__ std::uint64_t along_columns(int row, int k) const {
    return at(k / 64 * panel_bytes_ + row * row_bytes + k % 64 * 2);
  }

  /// 16 rows of the panel's 64 columns, to be added up along the rows.
  __device__ std::uint64_t along_rows(int row, int panel_number) const {
    return at(panel_number * panel_bytes_ + row * row_bytes);
  }

 private:
  __device__ std::uint64_t at(int offset) const { return description_ + static_cast<unsigned>(offset) / 16; }

  /// Both strides are the 1024 bytes of eight rows: only one of them counts in a panel of 64 columns.
  __device__ static std::uint64_t describe(std::uint32_t address) {
    constexpr std::uint64_t stride = 1024 / 16;
    constexpr std::uint64_t swizzle_of_128_bytes = 1;
    return (address & 0x3ffffU) >> 4 | stride << 16 | stride << 32 | swizzle_of_128_bytes << 62;
  }

  std::uint32_t address_;
  int panel_bytes_;
  std::uint64_t description_;
};

/// tile = A Bᵀ of 64 rows of each panel, summed over all columns.
template <int columns, int values>
__device__ __forceinline__ void multiply_rows(float (&tile)[values], const Panel<columns>& a, int a_row,
                                              const Panel<columns>& b, int b_row) {
#pragma unroll
  for (int k = 0; k < columns; k += 16) add_product(tile, a.along_columns(a_row, k), b.along_columns(b_row, k), k > 0);
}

/// sum += A B of a 64 x 64 tile, packed, and 64 rows of the panel.
template <int columns, int steps>
__device__ __forceinline__ void add_rows(float (&sum)[columns / 2], const std::uint32_t (&a)[steps][4],
                                         const Panel<columns>& b, int b_row) {
#pragma unroll
  for (int k = 0; k < steps; ++k)
#pragma unroll
    for (int panel = 0; panel < columns / 64; ++panel)
      add_product(sum + panel * tile_values, a[k], b.along_rows(b_row + 16 * k, panel));
}

__device__ __forceinline__ std::uint32_t pack(float low, float high) {
  std::uint32_t packed;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
  return packed;
}

/// The tile as the left operand of a product, rounded to nearest even.
template <int steps>
__device__ __forceinline__ void pack_tile(std::uint32_t (&packed)[steps][4], const float (&tile)[8 * steps]) {
#pragma unroll
  for (int i = 0; i < 4 * steps; ++i) packed[i / 4][i % 4] = pack(tile[2 * i], tile[2 * i + 1]);
}

}  // namespace Sward
