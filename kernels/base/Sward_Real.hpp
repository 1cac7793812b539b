#pragma once

#include <type_traits>

#include "Sward_BFloat16.hpp"

namespace Sward {

/// The type in which kernels compute with elements of type T: float for two-byte storage, T itself otherwise.
template <class T>
using Real = std::conditional_t<std::is_same_v<std::remove_const_t<T>, BFloat16>, float, std::remove_const_t<T>>;

}  // namespace Sward
