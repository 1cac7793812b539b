#include "Sward_CheckpointFile.hpp"
#include "Sward_FuzzAnswer.hpp"
#include "Sward_FuzzTargets.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Fuzz {

bool fuzz_checkpoint(std::string_view bytes) {
  static const Test::TemporaryFolder folder;
  static const std::filesystem::path file = folder / "checkpoint.h5";
  Test::write_file(file, std::string(bytes));
  return is_read(
      [&] {
        const CheckpointFile checkpoint(file);
        verify_checkpoint(checkpoint, 0, 1);
        for (const ParameterInfo& parameter : checkpoint.parameters()) {
          const std::vector<float> values = checkpoint.read_weight(parameter);
          require(values.size() == static_cast<std::size_t>(parameter.size()), "a weight has another size");
        }
      },
      {file.native()});
}

}  // namespace Sward::Fuzz
