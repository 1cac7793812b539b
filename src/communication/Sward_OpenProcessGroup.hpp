#pragma once

#include <memory>

#include "Sward_CommunicationLibrary.hpp"
#include "Sward_MpiCommunicator.hpp"

namespace Sward {

/// The ranks of `mpi`, which must outlive the group, over the library asked for. Collective.
/// Throws CommunicationError when NCCL is asked for and this build is without.
std::unique_ptr<ProcessGroup> open_process_group(CommunicationLibrary library, const Communicator<MpiSpace>& mpi);

}  // namespace Sward
