#include "Sward_SafetensorsWriter.hpp"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace Sward {
namespace {

void require_good(const std::ofstream& stream, const AtomicFile& file) {
  if (!stream) throw std::runtime_error(fmt::format("{}: cannot write to it", file.target().string()));
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors)
    : atomic_(path), stream_(atomic_.temporary(), std::ios::binary) {
  nlohmann::json header;
  header["__metadata__"]["format"] = "pt";
  std::uint64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    std::uint64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= static_cast<std::uint64_t>(extent);
    const std::uint64_t end = offset + count * sizeof(float);
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    expected_.push_back({tensor.name, count});
    offset = end;
  }
  std::string text = header.dump();
  // The data begin at a multiple of 8 bytes, so that a reader may map the file.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = text.size();
  stream_.write(reinterpret_cast<const char*>(&size), sizeof(size));
  stream_.write(text.data(), static_cast<std::streamsize>(text.size()));
  require_good(stream_, atomic_);
}

void SafetensorsWriter::write(const std::string& name, std::span<const float> values) {
  if (written_ == expected_.size() || expected_[written_].name != name || expected_[written_].count != values.size()) {
    throw std::invalid_argument(fmt::format("{}: tensor '{}' of {} elements is not the one declared to come next",
                                            atomic_.target().string(), name, values.size()));
  }
  stream_.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size_bytes()));
  require_good(stream_, atomic_);
  ++written_;
}

void SafetensorsWriter::commit() {
  if (written_ != expected_.size()) {
    throw std::invalid_argument(
        fmt::format("{}: tensor '{}' was not written", atomic_.target().string(), expected_[written_].name));
  }
  stream_.close();
  require_good(stream_, atomic_);
  atomic_.commit();
}

}  // namespace Sward
