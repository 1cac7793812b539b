#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace Sward::Test {

/// A new empty folder for one test, removed with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sward-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot create " + name);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::size_t file_count() const {
    const auto files = std::filesystem::directory_iterator(path_);
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }

 private:
  std::filesystem::path path_;
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream stream(path, std::ios::binary);
  stream << bytes;
}

/// The reference trajectory of this name (tests/data/golden).
inline std::filesystem::path golden_folder(const std::string& name) {
  return std::filesystem::path(SWARD_TEST_DATA_DIR) / "golden" / name;
}

/// A small model as transformers wrote it, with reference values (tests/data/huggingface).
inline std::filesystem::path reference_folder(const std::string& kind) {
  return std::filesystem::path(SWARD_TEST_DATA_DIR) / "huggingface" / kind;
}

/// Every kind of which there is a reference.
inline const std::vector<std::string> reference_kinds{"llama2", "llama3", "tinyllama", "smollm", "mistral", "linear"};

/// The message of the exception of this type that the call throws; "no exception" if it throws none.
template <class Exception, class Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "no exception";
}

}  // namespace Sward::Test
