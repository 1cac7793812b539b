#include "Sward_ResidentMemory.hpp"

#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

namespace Sward {

ResidentMemory read_resident_memory(const std::filesystem::path& status) {
  std::ifstream file(status);
  std::optional<std::uint64_t> now;
  std::optional<std::uint64_t> peak;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t kibibytes = 0;
    if (!(words >> key >> kibibytes)) continue;
    if (key == "VmRSS:") now = kibibytes * 1024;
    if (key == "VmHWM:") peak = kibibytes * 1024;
  }
  if (!now || !peak) throw std::runtime_error(status.string() + ": does not say VmRSS and VmHWM");
  return {*now, *peak};
}

}  // namespace Sward
