#pragma once

#include <Kokkos_Core.hpp>

#ifdef KOKKOS_ENABLE_CUDA

#include <cstdint>
#include <type_traits>

#include "Sward_BFloat16.hpp"
#include "Sward_ColumnSlice.hpp"
#include "Sward_WrittenColumns.hpp"

namespace Sward {

/// Elements as the kernels beside Kokkos take them.
template <class Scalar>
using DeviceElement = std::conditional_t<std::is_same_v<Scalar, BFloat16>, std::uint16_t, Scalar>;

/// A slice as the kernels beside Kokkos take it.
template <class ExecutionSpace, class Scalar>
WrittenColumns<DeviceElement<Scalar>> written_columns(const ColumnSlice<ExecutionSpace, Scalar>& slice) {
  return {slice.columns.data(), reinterpret_cast<DeviceElement<Scalar>*>(slice.values.data()),
          static_cast<std::int64_t>(slice.values.stride(0)), static_cast<int>(slice.columns.extent(0))};
}

}  // namespace Sward

#endif
