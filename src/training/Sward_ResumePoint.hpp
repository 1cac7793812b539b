#pragma once

#include <functional>
#include <optional>
#include <string>

#include "Sward_CheckpointFile.hpp"
#include "Sward_Configuration.hpp"
#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// Takes what there is to tell of a run, a line at a time and without its end, on the rank that has it to tell. Nothing
/// is told to an empty one.
using Report = std::function<void(const std::string& line)>;

/// The checkpoint that a run goes on from, none where it starts afresh. `resume` is empty, a checkpoint's path, or
/// "auto": the newest of the output directory that opens and whose arrays all verify, which the ranks share; those
/// passed over are reported with the reason, as is one without optimizer state. Collective.
///
/// Throws InputError when the checkpoint belongs to another run than the configuration's, when ranks find different
/// ones, and when the output directory holds a run that this one would not go on with.
std::optional<CheckpointFile> find_resume_point(const Configuration& configuration, const std::string& resume,
                                                const ProcessGroup& communicator, const Report& report = {});

}  // namespace Sward
