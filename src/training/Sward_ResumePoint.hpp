#pragma once

#include <optional>
#include <string>

#include "Sward_CheckpointFile.hpp"
#include "Sward_Configuration.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// The checkpoint that a run goes on from, none where it starts afresh. `resume` is empty, a checkpoint's path, or
/// "auto": the newest of the output directory that opens and whose arrays all verify, which the ranks share; those
/// passed over are printed with the reason. Collective.
///
/// Throws InputError when the checkpoint belongs to another run than the configuration's, when ranks find different
/// ones, and when the output directory holds a run that this one would not go on with.
std::optional<CheckpointFile> find_resume_point(const Configuration& configuration, const std::string& resume,
                                                const ProcessGroup& communicator);

}  // namespace Sward
