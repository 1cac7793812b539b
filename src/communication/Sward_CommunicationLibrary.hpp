#pragma once

namespace Sward {

/// Which library carries gradients.
enum class CommunicationLibrary {
  automatic,  ///< NCCL where this build has it and each rank has a device of its own, MPI otherwise
  mpi,
  nccl
};

#ifdef SWARD_WITH_NCCL
inline constexpr bool has_nccl = true;
#else
inline constexpr bool has_nccl = false;
#endif

}  // namespace Sward
