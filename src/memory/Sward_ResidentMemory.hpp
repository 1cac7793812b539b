#pragma once

#include <cstdint>
#include <filesystem>

namespace Sward {

/// In Sward's programs, allocations of at least so many bytes come from the system and go back to it when they are
/// freed; of smaller ones the C library keeps the memory.
inline constexpr int bytes_from_the_system = 8 << 20;

/// What of a process lies in main memory, in bytes.
struct ResidentMemory {
  std::uint64_t now = 0;   ///< VmRSS
  std::uint64_t peak = 0;  ///< VmHWM, since the program was started
};

/// Reads a process's status as Linux writes it (proc(5)). Throws std::runtime_error naming the file where it cannot be
/// read or lacks one of the two figures.
ResidentMemory read_resident_memory(const std::filesystem::path& status = "/proc/self/status");

}  // namespace Sward
