#include "Sward_FuzzAnswer.hpp"
#include "Sward_FuzzTargets.hpp"
#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Fuzz {

bool fuzz_huggingface_config(std::string_view bytes) {
  static const Test::TemporaryFolder folder;
  static const std::filesystem::path file = folder / "config.json";
  Test::write_file(file, std::string(bytes));
  return is_read(
      [&] {
        const LlamaShape shape = read_huggingface_config(folder.path());
        write_huggingface_config(folder.path(), shape);
        require(read_huggingface_config(folder.path()) == shape, "a shape reads back as another one");
      },
      {file.native()});
}

}  // namespace Sward::Fuzz
