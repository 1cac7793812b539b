#include "Sward_SafetensorsFolderWriter.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "Sward_SafetensorsHeader.hpp"

namespace Sward {
namespace {

constexpr const char* whole_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

bool is_shard_name(const std::string& name) {
  return name.starts_with("model-") && name.find("-of-") != std::string::npos && name.ends_with(".safetensors");
}

std::uint64_t bytes_of(const SafetensorsTensor& tensor, SafetensorsType type) {
  std::uint64_t bytes = element_bytes(type);
  for (const std::int64_t extent : tensor.shape) bytes *= static_cast<std::uint64_t>(extent);
  return bytes;
}

}  // namespace

std::vector<std::filesystem::path> list_weight_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::is_directory(folder)) return files;
  if (std::filesystem::exists(folder / index_name)) files.push_back(folder / index_name);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == whole_name || is_shard_name(name)) files.push_back(entry.path());
  }
  return files;
}

SafetensorsFolderWriter::SafetensorsFolderWriter(std::filesystem::path folder,
                                                 const std::vector<SafetensorsTensor>& tensors, SafetensorsType type,
                                                 std::uint64_t shard_bytes)
    : folder_(std::move(folder)), type_(type), shards_(1) {
  std::uint64_t filled = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const std::uint64_t bytes = bytes_of(tensor, type);
    if (filled > 0 && (bytes > shard_bytes || filled > shard_bytes - bytes)) {
      shards_.emplace_back();
      filled = 0;
    }
    shards_.back().tensors.push_back(tensor);
    filled += bytes;
    total_bytes_ += bytes;
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    shards_[i].file =
        shards_.size() == 1 ? whole_name : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards_.size());
  }
  begin_shard();
}

void SafetensorsFolderWriter::begin_shard() {
  const Shard& shard = shards_[writers_.size()];
  writers_.emplace_back(folder_ / shard.file, shard.tensors, type_);
  written_ = 0;
}

void SafetensorsFolderWriter::write(const std::string& name, std::span<const float> values) {
  if (written_ == shards_[writers_.size() - 1].tensors.size() && writers_.size() < shards_.size()) {
    writers_.back().finish();
    begin_shard();
  }
  writers_.back().write(name, values);
  ++written_;
}

void SafetensorsFolderWriter::commit() {
  if (writers_.size() < shards_.size()) {
    throw std::invalid_argument(
        fmt::format("{}: only {} of {} shards were written", folder_.string(), writers_.size(), shards_.size()));
  }
  writers_.back().finish();
  remove_old_weights();
  for (SafetensorsWriter& writer : writers_) writer.commit();
  if (shards_.size() > 1) write_index();
}

/// The index goes first: without it, or model.safetensors, no reader takes a mixture of old and new shards for a model.
void SafetensorsFolderWriter::remove_old_weights() const {
  for (const std::filesystem::path& path : list_weight_files(folder_)) {
    // A single new file replaces the old one in one step.
    const bool replaced = shards_.size() == 1 && path.filename() == whole_name;
    if (!replaced) std::filesystem::remove(path);
  }
}

void SafetensorsFolderWriter::write_index() const {
  nlohmann::json index;
  index["metadata"]["total_size"] = total_bytes_;
  for (const Shard& shard : shards_)
    for (const SafetensorsTensor& tensor : shard.tensors) index["weight_map"][tensor.name] = shard.file;
  AtomicFile file(folder_ / index_name);
  std::ofstream stream(file.temporary());
  stream << index.dump(2) << '\n';
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("{}: cannot write to it", file.target().string()));
  file.commit();
}

}  // namespace Sward
