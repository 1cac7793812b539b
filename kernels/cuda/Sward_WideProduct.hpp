#pragma once

// Products of bfloat16 tiles of 256 columns by the tensor cores of sm_90a: the registers and layouts of
// Sward_WarpgroupProduct.hpp, with n < 32.

#include <cstdint>

#include "Sward_WarpgroupProduct.hpp"

namespace Sward {

#define SWARD_8(d, i)                                                                                         \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])
#define SWARD_64(d, i)                                                                                              \
  SWARD_8(d, i), SWARD_8(d, i + 8), SWARD_8(d, i + 16), SWARD_8(d, i + 24), SWARD_8(d, i + 32), SWARD_8(d, i + 40), \
      SWARD_8(d, i + 48), SWARD_8(d, i + 56)
#define SWARD_64_NAMES                                                                                        \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, " \
  "%23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, " \
  "%44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define SWARD_128_NAMES                                                                                          \
  SWARD_64_NAMES                                                                                                 \
  ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, "                 \
  "%82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, " \
  "%103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, %119, %120, " \
  "%121, %122, %123, %124, %125, %126, %127"

/// d = A B, or d + A B, of 64 x 16 and 16 x 256 operands in shared memory, where B lies as it is or transposed.
template <bool b_is_transposed>
__device__ __forceinline__ void add_wide_product(float (&d)[128], std::uint64_t a, std::uint64_t b, bool is_added) {
  asm volatile(
      "{.reg .pred p;\n"
      "setp.ne.b32 p, %130, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n256k16.f32.bf16.bf16 {" SWARD_128_NAMES "}, %128, %129, p, 1, 1, 0, %131;}\n"
      : SWARD_64(d, 0), SWARD_64(d, 64)
      : "l"(a), "l"(b), "r"(static_cast<int>(is_added)), "n"(b_is_transposed ? 0 : 1));
}

#undef SWARD_8
#undef SWARD_64
#undef SWARD_64_NAMES
#undef SWARD_128_NAMES

/// Four 8 x 8 matrices of two bytes each; thread t of the warp gives the address of row t % 8 of matrix t / 8, and
/// holds the elements t % 4 * 2 and the next of row t / 4 of each.
__device__ __forceinline__ void store_matrices(std::uint32_t address, std::uint32_t a, std::uint32_t b, std::uint32_t c,
                                               std::uint32_t d) {
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(a), "r"(b),
               "r"(c), "r"(d)
               : "memory");
}

/// Tells the tensor cores of panels of 64 elements a row, `stride` bytes from one to the next where the product's
/// columns reach over several.
__device__ __forceinline__ std::uint64_t describe_panels(std::uint32_t address, int stride) {
  constexpr std::uint64_t eight_rows = 1024 / 16;
  constexpr std::uint64_t swizzle_of_128_bytes = 1;
  return (address & 0x3ffffU) >> 4 | static_cast<std::uint64_t>(stride / 16) << 16 | eight_rows << 32 |
         swizzle_of_128_bytes << 62;
}

}  // namespace Sward
