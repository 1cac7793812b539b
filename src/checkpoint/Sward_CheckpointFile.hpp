#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "Sward_Hdf5.hpp"
#include "Sward_LlamaShape.hpp"
#include "Sward_ParameterList.hpp"

namespace Sward {

/// What a checkpoint says of the run besides its arrays.
struct CheckpointHeader {
  std::int64_t step = 0;  ///< updates done; the next one has this number
  std::uint64_t seed = 0;
  std::int64_t sequence_length = 0;  ///< 0 when the weights come from elsewhere than training
  std::int64_t sequences = 0;        ///< sequences an update
  std::string configuration;         ///< TOML, empty when the weights come from elsewhere
  LlamaShape shape;
};

/// A checkpoint that is being written: `/weights/NAME`, and `/optimizer/NAME/...` where there is state.
/// The caller writes the arrays through `file()`, then closes it.
Hdf5File create_checkpoint(const std::filesystem::path& path, const CheckpointHeader& header);

/// A checkpoint opened for reading. Throws InputError naming the file and what is wrong.
class CheckpointFile {
 public:
  static constexpr std::int64_t format_version = 1;

  explicit CheckpointFile(const std::filesystem::path& path);

  const CheckpointHeader& header() const { return header_; }
  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  bool has_optimizer() const { return file_.exists("/optimizer"); }
  /// A parameter's elements, row-major, as many as its shape says.
  std::vector<float> read_weight(const ParameterInfo& parameter) const;
  /// The bytes of the SentencePiece model that came with the weights, empty if none did.
  std::string tokenizer_model() const;
  const Hdf5File& file() const { return file_; }

 private:
  Hdf5File file_;
  CheckpointHeader header_;
  std::vector<ParameterInfo> parameters_;
};

/// Reads part `part` of `parts` of all arrays, weights and optimizer state, so that their checksums are compared: the
/// ranks of a run share the work. Throws InputError naming the file and the array.
void verify_checkpoint(const CheckpointFile& checkpoint, int part, int parts);

/// Extents of a parameter in files: norms have one dimension.
std::vector<std::size_t> file_extents(const ParameterInfo& parameter);

/// The checkpoint of a step inside an output directory.
std::filesystem::path checkpoint_path(const std::filesystem::path& directory, std::int64_t step);
/// The step in the name that checkpoint_path gave.
std::int64_t checkpoint_step(const std::filesystem::path& path);
/// All checkpoints of a directory, the newest first; none where there is no such directory.
std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& directory);

}  // namespace Sward
