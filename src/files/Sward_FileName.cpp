#include "Sward_FileName.hpp"

#include <system_error>

#include "Sward_InputError.hpp"

namespace Sward {

void require_file_name(const std::filesystem::path& name) {
  namespace fs = std::filesystem;
  if (name.empty()) throw InputError("the name of the file to write is empty");
  std::error_code error;
  const fs::file_status link = fs::symlink_status(name, error);
  if (link.type() == fs::file_type::not_found) return;
  if (link.type() == fs::file_type::none) throw InputError(name.string() + ": " + error.message());
  const fs::file_status there = fs::status(name, error);
  if (!fs::is_regular_file(there) && !fs::is_directory(there))
    throw InputError(name.string() + ": is no file that could be replaced");
}

}  // namespace Sward
