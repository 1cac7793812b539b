#pragma once

#include <Kokkos_Core.hpp>

namespace Sward {

/// The policy for a kernel of many operands, which are passed with its launch. Without this Kokkos would pass them by a
/// buffer of the device that one kernel at a time can use, and the host would wait for it at every launch.
template <class Policy>
auto as_launch_arguments(const Policy& policy) {
  return Kokkos::Experimental::require(policy, Kokkos::Experimental::WorkItemProperty::HintLightWeight);
}

}  // namespace Sward
