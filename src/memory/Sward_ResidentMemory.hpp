#pragma once

#include <cstdint>
#include <filesystem>

namespace Sward {

/// What of a process lies in main memory, in bytes.
struct ResidentMemory {
  std::uint64_t now = 0;   ///< VmRSS
  std::uint64_t peak = 0;  ///< VmHWM, since the program was started
};

/// Reads a process's status as Linux writes it (proc(5)). Throws std::runtime_error naming the file where it cannot be
/// read or lacks one of the two figures.
ResidentMemory read_resident_memory(const std::filesystem::path& status = "/proc/self/status");

}  // namespace Sward
