#include "Sward_OpenProcessGroup.hpp"

#ifdef SWARD_WITH_NCCL
#include <set>
#include <string>
#include <vector>

#include "Sward_NcclCommunicator.hpp"
#endif

namespace Sward {

namespace {

#ifdef SWARD_WITH_NCCL
/// Whether no two ranks share a device. Collective.
bool devices_are_apart(const Communicator<MpiSpace>& mpi) {
  const DeviceAddress name = device_address();
  std::vector<char> all(name.size() * static_cast<std::size_t>(mpi.size()));
  const int length = static_cast<int>(name.size());
  check_mpi(MPI_Allgather(name.data(), length, MPI_CHAR, all.data(), length, MPI_CHAR, mpi.handle()), "MPI_Allgather");
  std::set<std::string> names;
  for (std::size_t first = 0; first < all.size(); first += name.size()) names.emplace(&all[first], name.size());
  return names.size() == static_cast<std::size_t>(mpi.size());
}

bool prefers_nccl(const Communicator<MpiSpace>& mpi) { return mpi.size() > 1 && devices_are_apart(mpi); }
#else
bool prefers_nccl(const Communicator<MpiSpace>&) { return false; }
#endif

}  // namespace

std::unique_ptr<ProcessGroup> open_process_group(CommunicationLibrary library, const Communicator<MpiSpace>& mpi) {
  const bool wants_nccl =
      library == CommunicationLibrary::nccl || (library == CommunicationLibrary::automatic && prefers_nccl(mpi));
  if (!wants_nccl) return std::make_unique<Communicator<MpiSpace>>(mpi.handle());
#ifdef SWARD_WITH_NCCL
  return std::make_unique<Communicator<NcclSpace>>(mpi);
#else
  throw CommunicationError("run.communication = \"nccl\": this build is without NCCL");
#endif
}

}  // namespace Sward
