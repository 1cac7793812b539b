#pragma once

#include "Sward_Configuration.hpp"

namespace Sward {

/// Does once all that a run of this configuration does, with a model of some thousand weights and a file in memory: two
/// updates, an evaluation's pass, a checkpoint, and reading tokens. The code and the buffers that these bring in are
/// then part of the process, as they will be in the run. Files are left out where shared memory has no room for one.
void rehearse_run(const Configuration& configuration);

}  // namespace Sward
