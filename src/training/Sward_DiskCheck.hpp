#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "Sward_Configuration.hpp"

namespace Sward {

/// Looks at the folder for the output of a run of so many steps, or at the innermost one above it that exists: throws
/// InputError unless it can be written to and has room for a checkpoint of so many bytes. Returns a sentence if there
/// is no room for as many as will be there at once, else nothing.
std::string check_disk(const OutputOptions& output, std::int64_t steps, std::size_t checkpoint_bytes);

}  // namespace Sward
