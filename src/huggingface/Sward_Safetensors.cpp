#include "Sward_Safetensors.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "Sward_Float16.hpp"
#include "Sward_InputError.hpp"
#include "Sward_ParseJson.hpp"
#include "Sward_SafetensorsHeader.hpp"

namespace Sward {
namespace {

using Json = nlohmann::json;

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path) : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value_ < 0) throw InputError(fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno)));
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

float widen_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

template <class Stored, class Widen>
std::vector<float> read_as(const std::filesystem::path& path, const SafetensorsEntry& entry, Widen widen) {
  const Descriptor file(path);
  std::vector<Stored> stored(entry.count());
  read_bytes(path, file.get(), entry.begin, stored.data(), entry.end - entry.begin);
  if constexpr (std::is_same_v<Stored, float>) {
    return stored;
  } else {
    std::vector<float> values(stored.size());
    for (std::size_t i = 0; i < stored.size(); ++i) values[i] = widen(stored[i]);
    return values;
  }
}

Json parse_index(const std::filesystem::path& path) {
  std::ifstream stream(path);
  Json index = parse_json(stream);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw InputError(fmt::format("{}: not a JSON object with a weight_map", path.string()));
  }
  return index["weight_map"];
}

}  // namespace

std::uint64_t SafetensorsEntry::count() const {
  std::uint64_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::uint64_t>(extent);
  return count;
}

SafetensorsFile::SafetensorsFile(std::filesystem::path path)
    : path_(std::move(path)), entries_(read_safetensors_header(path_, Descriptor(path_).get())) {}

std::vector<float> SafetensorsFile::read(const std::string& name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end()) throw InputError(fmt::format("{}: tensor '{}' is missing", path_.string(), name));
  const SafetensorsEntry& entry = found->second;
  switch (entry.type) {
    case SafetensorsType::f16:
      return read_as<std::uint16_t>(path_, entry, widen_float16);
    case SafetensorsType::bf16:
      return read_as<std::uint16_t>(path_, entry, widen_bfloat16);
    case SafetensorsType::f32:
      return read_as<float>(path_, entry, [](float value) { return value; });
    case SafetensorsType::f64:
      break;
  }
  return read_as<double>(path_, entry, [](double value) { return static_cast<float>(value); });
}

SafetensorsFolder::SafetensorsFolder(const std::filesystem::path& folder) : folder_(folder) {
  const std::filesystem::path whole = folder / "model.safetensors";
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  if (std::filesystem::exists(whole)) {
    const SafetensorsFile& file = files_.emplace(whole.filename().string(), SafetensorsFile(whole)).first->second;
    for (const auto& [name, entry] : file.entries()) tensors_[name] = &file;
  } else if (std::filesystem::exists(index)) {
    open_shards(index);
  } else {
    throw InputError(
        fmt::format("{}: has neither model.safetensors nor model.safetensors.index.json", folder.string()));
  }
}

void SafetensorsFolder::open_shards(const std::filesystem::path& index) {
  const Json weight_map = parse_index(index);
  for (const auto& [name, value] : weight_map.items()) {
    const std::string shard = value.is_string() ? value.get<std::string>() : std::string();
    if (shard.empty() || shard != std::filesystem::path(shard).filename()) {
      throw InputError(fmt::format("{}: weight_map: '{}' does not name a file of the folder", index.string(), name));
    }
    auto file = files_.find(shard);
    if (file == files_.end()) file = files_.emplace(shard, SafetensorsFile(folder_ / shard)).first;
    if (!file->second.entries().contains(name)) {
      throw InputError(
          fmt::format("{}: tensor '{}' is missing, which the index places here", file->second.path().string(), name));
    }
    tensors_[name] = &file->second;
  }
  for (const auto& [shard, file] : files_) {
    for (const auto& [name, entry] : file.entries()) {
      const auto listed = tensors_.find(name);
      if (listed == tensors_.end() || listed->second != &file) {
        throw InputError(fmt::format("{}: tensor '{}' is not the index's", file.path().string(), name));
      }
    }
  }
}

const SafetensorsEntry& SafetensorsFolder::entry(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw InputError(fmt::format("{}: tensor '{}' is missing", folder_.string(), name));
  return found->second->entries().at(name);
}

std::vector<float> SafetensorsFolder::read(const std::string& name) const {
  entry(name);
  return tensors_.at(name)->read(name);
}

}  // namespace Sward
