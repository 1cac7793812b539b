#include "Sward_FuzzAnswer.hpp"
#include "Sward_FuzzTargets.hpp"
#include "Sward_Safetensors.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Fuzz {

bool fuzz_safetensors(std::string_view bytes) {
  static const Test::TemporaryFolder folder;
  static const std::filesystem::path file = folder / "model.safetensors";
  Test::write_file(file, std::string(bytes));
  return is_read(
      [&] {
        const SafetensorsFile tensors(file);
        for (const auto& [name, entry] : tensors.entries())
          require(tensors.read(name).size() == entry.count(), "a tensor has another size than its entry");
      },
      {file.native()});
}

}  // namespace Sward::Fuzz
