#pragma once

#include <Kokkos_Core.hpp>

#include "Sward_CCall.hpp"

struct sward_instance {
  Kokkos::DefaultExecutionSpace space;
};

namespace Sward::C {

using Space = Kokkos::DefaultExecutionSpace;

inline const Space& space_of(const char* function, const sward_instance* instance) {
  require_pointer(function, "instance", instance);
  return instance->space;
}

/// As a caller gives it, or NULL on hosts.
inline void* stream_of([[maybe_unused]] const Space& space) {
#ifdef KOKKOS_ENABLE_CUDA
  return space.cuda_stream();
#else
  return nullptr;
#endif
}

}  // namespace Sward::C
