#include "Sward_OpenProcessGroup.hpp"

#ifdef SWARD_WITH_NCCL
#include "Sward_NcclCommunicator.hpp"
#endif

namespace Sward {

std::unique_ptr<ProcessGroup> open_process_group(CommunicationLibrary library, const Communicator<MpiSpace>& mpi) {
  const bool wants_nccl = library == CommunicationLibrary::nccl ||
                          (library == CommunicationLibrary::automatic && has_nccl && mpi.size() > 1);
  if (!wants_nccl) return std::make_unique<Communicator<MpiSpace>>(mpi.handle());
#ifdef SWARD_WITH_NCCL
  return std::make_unique<Communicator<NcclSpace>>(mpi);
#else
  throw CommunicationError("run.communication = \"nccl\": this build is without NCCL");
#endif
}

}  // namespace Sward
