#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <cstring>

#include "Sward_BFloat16.hpp"
#include "Sward_Float8.hpp"

// Loops over arrays that are to stay in registers have to be unrolled, which compilers for GPUs do up to a limit.
#if defined(__CUDA_ARCH__) || defined(__clang__)
#define SWARD_UNROLL _Pragma("unroll")
#else
#define SWARD_UNROLL
#endif

namespace Sward {

/// N neighbouring elements of a row, moved in accesses of up to 16 bytes.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Pack {
  T values[N];
  KOKKOS_INLINE_FUNCTION T& operator[](int i) { return values[i]; }
  KOKKOS_INLINE_FUNCTION const T& operator[](int i) const { return values[i]; }
};

/// Elements of the type that fill 16 bytes.
template <class T>
inline constexpr int pack_size = static_cast<int>(16 / sizeof(T));

/// The N elements from `source` on, which must be aligned as a pack (is_packable).
template <int N, class T>
KOKKOS_INLINE_FUNCTION Pack<std::remove_const_t<T>, N> load_pack(T* source) {
  using Result = Pack<std::remove_const_t<T>, N>;
  KOKKOS_IF_ON_DEVICE((return *reinterpret_cast<const Result*>(source);))
  KOKKOS_IF_ON_HOST((Result result; std::memcpy(&result, source, sizeof(Result)); return result;))
}

/// Writes a pack to `target`, aligned as for load_pack.
template <int N, class T>
KOKKOS_INLINE_FUNCTION void store_pack(const Pack<T, N>& pack, T* target) {
  KOKKOS_IF_ON_DEVICE((*reinterpret_cast<Pack<T, N>*>(target) = pack;))
  KOKKOS_IF_ON_HOST((std::memcpy(static_cast<void*>(target), &pack, sizeof(pack));))
}

/// Whether every row of a matrix, or a vector, can be moved in packs of N: its start and its rows are aligned, its
/// elements are neighbours, and a row's are a multiple of N. True of anything for N = 1.
template <int N, class View>
bool is_packable(const View& view) {
  static_assert(View::rank() == 1 || View::rank() == 2, "Sward::is_packable: the view must have rank 1 or 2");
  using Scalar = typename View::non_const_value_type;
  constexpr std::size_t alignment = alignof(Pack<Scalar, N>);
  constexpr std::size_t last = View::rank() - 1;
  const bool rows_are_aligned =
      View::rank() == 1 || view.extent(0) <= 1 || view.stride(0) * sizeof(Scalar) % alignment == 0;
  return N == 1 || (view.extent(last) % N == 0 && (view.stride(last) == 1 || view.extent(last) <= 1) &&
                    reinterpret_cast<std::uintptr_t>(view.data()) % alignment == 0 && rows_are_aligned);
}

/// Each element in another type, computed with or stored.
template <class T, class Source, int N>
KOKKOS_INLINE_FUNCTION Pack<T, N> convert_pack(const Pack<Source, N>& source) {
  Pack<T, N> result;
#if defined(__CUDA_ARCH__)
  // What compilers do not find by themselves: two elements an instruction, or one where they would take two.
  constexpr bool are_pairs = std::is_same_v<Source, float> && N % 2 == 0;
  if constexpr (are_pairs && std::is_same_v<T, BFloat16>) {
    auto* const pairs = reinterpret_cast<std::uint32_t*>(&result);
    SWARD_UNROLL
    for (int i = 0; i < N; i += 2)
      asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pairs[i / 2]) : "f"(source[i + 1]), "f"(source[i]));
  } else if constexpr (are_pairs && std::is_same_v<T, Float8>) {
    auto* const pairs = reinterpret_cast<std::uint16_t*>(&result);
    SWARD_UNROLL
    for (int i = 0; i < N; i += 2) pairs[i / 2] = Float8::pair_of(source[i], source[i + 1]);
  } else if constexpr (std::is_same_v<Source, BFloat16> && std::is_same_v<T, float> && N % 2 == 0) {
    const auto* const pairs = reinterpret_cast<const std::uint32_t*>(&source);
    SWARD_UNROLL
    for (int i = 0; i < N; i += 2) {
      result[i] = Kokkos::bit_cast<float>(pairs[i / 2] << 16);
      result[i + 1] = Kokkos::bit_cast<float>(pairs[i / 2] & 0xffff0000U);
    }
  } else
#endif
  {
    SWARD_UNROLL
    for (int i = 0; i < N; ++i) result[i] = static_cast<T>(source[i]);
  }
  return result;
}

/// Makes a compiler forget what it has computed from a pack that is used again later: it then keeps the 16 bytes in
/// registers, instead of twice as many for the same elements in float.
template <class T, int N>
KOKKOS_INLINE_FUNCTION void forget_conversions([[maybe_unused]] Pack<T, N>& pack) {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(T) < sizeof(float) && sizeof(pack) == 16) {
    auto* const words = reinterpret_cast<std::uint32_t*>(&pack);
    asm volatile("" : "+r"(words[0]), "+r"(words[1]), "+r"(words[2]), "+r"(words[3]));
  }
#endif
}

}  // namespace Sward
