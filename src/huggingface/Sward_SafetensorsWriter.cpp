#include "Sward_SafetensorsWriter.hpp"

#include <fmt/core.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "Sward_BFloat16.hpp"
#include "Sward_Float16.hpp"
#include "Sward_InputError.hpp"
#include "Sward_SafetensorsHeader.hpp"

namespace Sward {
namespace {

void require_good(const std::ofstream& stream, const AtomicFile& file) {
  if (!stream) throw std::runtime_error(fmt::format("{}: cannot write to it", file.target().string()));
}

const char* type_name(SafetensorsType type) {
  switch (type) {
    case SafetensorsType::f16:
      return "F16";
    case SafetensorsType::bf16:
      return "BF16";
    case SafetensorsType::f32:
      return "F32";
    case SafetensorsType::f64:
      break;
  }
  throw std::invalid_argument("Sward::SafetensorsWriter: F64 is not written");
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors,
                                     SafetensorsType type)
    : atomic_(path), stream_(atomic_.temporary(), std::ios::binary), type_(type) {
  nlohmann::json header;
  header["__metadata__"]["format"] = "pt";
  std::uint64_t offset = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    std::uint64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= static_cast<std::uint64_t>(extent);
    const std::uint64_t end = offset + count * element_bytes(type);
    header[tensor.name] = {{"dtype", type_name(type)}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    expected_.push_back({tensor.name, count});
    offset = end;
  }
  std::string text = header.dump();
  // The data begin at a multiple of 8 bytes, so that a reader may map the file.
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t size = text.size();
  write_bytes(&size, sizeof(size));
  write_bytes(text.data(), text.size());
}

void SafetensorsWriter::write_bytes(const void* bytes, std::size_t count) {
  stream_.write(static_cast<const char*>(bytes), static_cast<std::streamsize>(count));
  require_good(stream_, atomic_);
}

std::vector<std::uint16_t> SafetensorsWriter::narrowed(const std::string& name, std::span<const float> values) const {
  std::vector<std::uint16_t> bits;
  bits.reserve(values.size());
  for (const float value : values) {
    const bool half = type_ == SafetensorsType::f16;
    bits.push_back(half ? narrow_float16(value) : BFloat16(value).bits());
    const float rounded = half ? widen_float16(bits.back()) : float(BFloat16::from_bits(bits.back()));
    if (std::isinf(rounded) && !std::isinf(value))
      throw InputError(fmt::format("{}: tensor '{}' has the value {}, beyond the largest {}", atomic_.target().string(),
                                   name, value, type_name(type_)));
  }
  return bits;
}

void SafetensorsWriter::write(const std::string& name, std::span<const float> values) {
  if (written_ == expected_.size() || expected_[written_].name != name || expected_[written_].count != values.size()) {
    throw std::invalid_argument(fmt::format("{}: tensor '{}' of {} elements is not the one declared to come next",
                                            atomic_.target().string(), name, values.size()));
  }
  if (type_ == SafetensorsType::f32) {
    write_bytes(values.data(), values.size_bytes());
  } else {
    const std::vector<std::uint16_t> bits = narrowed(name, values);
    write_bytes(bits.data(), bits.size() * sizeof(std::uint16_t));
  }
  ++written_;
}

void SafetensorsWriter::finish() {
  if (written_ != expected_.size()) {
    throw std::invalid_argument(
        fmt::format("{}: tensor '{}' was not written", atomic_.target().string(), expected_[written_].name));
  }
  stream_.close();
  require_good(stream_, atomic_);
}

void SafetensorsWriter::commit() {
  if (stream_.is_open()) finish();
  atomic_.commit();
}

}  // namespace Sward
