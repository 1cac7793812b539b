#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "Sward_SafetensorsWriter.hpp"

namespace Sward {

/// The files of weights that a folder has: model.safetensors.index.json, which comes first, model.safetensors, and
/// shards. None where there is no such folder.
std::vector<std::filesystem::path> list_weight_files(const std::filesystem::path& folder);

/// Writes a folder's weights, one tensor at a time: model.safetensors, or, where they are larger than a shard may be,
/// shards model-00001-of-00002.safetensors ... with model.safetensors.index.json. Nothing appears under these names
/// before `commit()`, and the index last. Failures are std::runtime_error naming the file.
class SafetensorsFolderWriter {
 public:
  /// Declares the tensors; they are then written in this order. A shard holds at most `shard_bytes` of data, or a
  /// single larger tensor. The folder must exist.
  SafetensorsFolderWriter(std::filesystem::path folder, const std::vector<SafetensorsTensor>& tensors,
                          SafetensorsType type, std::uint64_t shard_bytes);

  /// As SafetensorsWriter::write.
  void write(const std::string& name, std::span<const float> values);

  /// Gives the files their names. Those of `list_weight_files` from before are removed.
  void commit();

 private:
  struct Shard {
    std::string file;
    std::vector<SafetensorsTensor> tensors;
  };

  void begin_shard();
  void remove_old_weights() const;
  void write_index() const;

  std::filesystem::path folder_;
  SafetensorsType type_;
  std::vector<Shard> shards_;
  std::vector<SafetensorsWriter> writers_;  ///< the last one takes tensors, those before are finished
  std::size_t written_ = 0;                 ///< tensors of the last writer
  std::uint64_t total_bytes_ = 0;
};

}  // namespace Sward
