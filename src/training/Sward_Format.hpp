#pragma once

#include <cstdint>
#include <string>

namespace Sward {

/// "1.50 GiB"; bytes below 1 KiB as they are.
std::string bytes_text(std::uint64_t bytes);

/// "1:02:03", or "2:03" below an hour.
std::string duration_text(double seconds);

}  // namespace Sward
