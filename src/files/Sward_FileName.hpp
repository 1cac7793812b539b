#pragma once

#include <filesystem>

namespace Sward {

/// Throws InputError unless a file can be written under this name: it is not empty, and what is there already, if
/// anything, is a file or a folder, and no device, pipe or link that leads nowhere.
void require_file_name(const std::filesystem::path& name);

}  // namespace Sward
