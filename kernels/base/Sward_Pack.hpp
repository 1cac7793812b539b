#pragma once

#include <Kokkos_Core.hpp>
#include <cstdint>
#include <cstring>

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
  KOKKOS_IF_ON_HOST((std::memcpy(target, &pack, sizeof(pack));))
}

/// Whether every row of a matrix can be moved in packs of N: its start and its rows are aligned, and its columns are a
/// multiple of N.
template <int N, class View>
bool is_packable(const View& view) {
  static_assert(View::rank() == 2, "Sward::is_packable: the view must be a matrix");
  using Aligned = Pack<typename View::non_const_value_type, N>;
  const std::size_t row_bytes = view.stride(0) * sizeof(typename View::non_const_value_type);
  return view.extent(1) % N == 0 && reinterpret_cast<std::uintptr_t>(view.data()) % alignof(Aligned) == 0 &&
         (view.extent(0) <= 1 || row_bytes % alignof(Aligned) == 0);
}

}  // namespace Sward
