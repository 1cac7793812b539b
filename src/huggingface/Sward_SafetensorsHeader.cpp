#include "Sward_SafetensorsHeader.hpp"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "Sward_InputError.hpp"
#include "Sward_ParseJson.hpp"

namespace Sward {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

// The format's own limit, which keeps a corrupt length from asking for the machine's memory.
constexpr std::uint64_t largest_header = 100'000'000;
constexpr std::uint64_t largest_extent = std::uint64_t{1} << 40;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& what) {
  throw InputError(fmt::format("{}: {}", path.string(), what));
}

std::uint64_t file_size(const std::filesystem::path& path, int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) fail(path, "not a regular file");
  return static_cast<std::uint64_t>(status.st_size);
}

std::optional<std::uint64_t> unsigned_number(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::uint64_t>();
}

SafetensorsType parse_type(const std::filesystem::path& path, const std::string& name, const Json& tensor) {
  const auto type = tensor.find("dtype");
  if (type == tensor.end() || !type->is_string()) fail(path, fmt::format("tensor '{}' has no dtype", name));
  if (*type == "F16") return SafetensorsType::f16;
  if (*type == "BF16") return SafetensorsType::bf16;
  if (*type == "F32") return SafetensorsType::f32;
  if (*type == "F64") return SafetensorsType::f64;
  fail(path, fmt::format("tensor '{}' has dtype {}, wanted F16, BF16, F32 or F64", name, type->get<std::string>()));
}

std::vector<std::int64_t> parse_shape(const std::filesystem::path& path, const std::string& name, const Json& tensor) {
  const auto shape = tensor.find("shape");
  if (shape == tensor.end() || !shape->is_array()) fail(path, fmt::format("tensor '{}' has no shape", name));
  std::vector<std::int64_t> extents;
  // Bounding the product of the extents other than 0 by 2^40 keeps every later product of sizes in 64 bits.
  std::uint64_t product = 1;
  for (const Json& value : *shape) {
    const std::uint64_t extent = unsigned_number(value).value_or(largest_extent + 1);
    if (extent > largest_extent / product) fail(path, fmt::format("tensor '{}' has an impossible shape", name));
    product *= std::max<std::uint64_t>(extent, 1);
    extents.push_back(static_cast<std::int64_t>(extent));
  }
  return extents;
}

SafetensorsEntry parse_entry(const std::filesystem::path& path, const std::string& name, const Json& tensor,
                             std::uint64_t data_begin, std::uint64_t data_size) {
  if (!tensor.is_object()) fail(path, fmt::format("tensor '{}' is not described by an object", name));
  SafetensorsEntry entry;
  entry.type = parse_type(path, name, tensor);
  entry.shape = parse_shape(path, name, tensor);
  const auto offsets = tensor.find("data_offsets");
  if (offsets == tensor.end() || !offsets->is_array() || offsets->size() != 2) {
    fail(path, fmt::format("tensor '{}' has no data_offsets", name));
  }
  const auto begin = unsigned_number((*offsets)[0]);
  const auto end = unsigned_number((*offsets)[1]);
  if (!begin || !end || *begin > *end || *end > data_size) {
    fail(path, fmt::format("tensor '{}' has data_offsets outside the {} bytes of data", name, data_size));
  }
  if (*end - *begin != entry.count() * element_bytes(entry.type)) {
    fail(path, fmt::format("tensor '{}' has {} bytes, its shape and dtype need {}", name, *end - *begin,
                           entry.count() * element_bytes(entry.type)));
  }
  entry.begin = data_begin + *begin;
  entry.end = data_begin + *end;
  return entry;
}

void require_gapless(const std::filesystem::path& path, const std::map<std::string, SafetensorsEntry>& entries,
                     std::uint64_t data_begin, std::uint64_t data_end) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  ranges.reserve(entries.size());
  for (const auto& [name, entry] : entries) ranges.emplace_back(entry.begin, entry.end);
  std::sort(ranges.begin(), ranges.end());
  std::uint64_t reached = data_begin;
  for (const auto& [begin, end] : ranges) {
    if (begin != reached) fail(path, "the tensors leave gaps or overlap");
    reached = end;
  }
  if (reached != data_end) fail(path, fmt::format("{} bytes belong to no tensor", data_end - reached));
}

Json parse_header(const std::filesystem::path& path, const std::string& text) {
  Json header = parse_json(text);
  if (!header.is_object()) fail(path, "the header is not a JSON object: the file is corrupt or of another format");
  return header;
}

}  // namespace

std::uint64_t element_bytes(SafetensorsType type) {
  switch (type) {
    case SafetensorsType::f16:
    case SafetensorsType::bf16:
      return 2;
    case SafetensorsType::f32:
      return 4;
    case SafetensorsType::f64:
      break;
  }
  return 8;
}

void read_bytes(const std::filesystem::path& path, int descriptor, std::uint64_t offset, void* bytes,
                std::uint64_t count) {
  char* destination = static_cast<char*>(bytes);
  while (count > 0) {
    const ssize_t got = ::pread(descriptor, destination, count, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, fmt::format("cannot read: {}", std::strerror(errno)));
    if (got == 0) fail(path, fmt::format("ends at byte {}, before its data do", offset));
    destination += got;
    offset += static_cast<std::uint64_t>(got);
    count -= static_cast<std::uint64_t>(got);
  }
}

std::map<std::string, SafetensorsEntry> read_safetensors_header(const std::filesystem::path& path, int descriptor) {
  const std::uint64_t size = file_size(path, descriptor);
  std::uint64_t header_size = 0;
  if (size < sizeof(header_size)) fail(path, fmt::format("has {} bytes, too few for a safetensors file", size));
  read_bytes(path, descriptor, 0, &header_size, sizeof(header_size));
  const std::uint64_t room = std::min(largest_header, size - sizeof(header_size));
  if (header_size > room) {
    fail(path, fmt::format("its header claims {} bytes where at most {} can be: the file is truncated or corrupt",
                           header_size, room));
  }
  std::string text(header_size, '\0');
  read_bytes(path, descriptor, sizeof(header_size), text.data(), header_size);
  const Json header = parse_header(path, text);

  const std::uint64_t data_begin = sizeof(header_size) + header_size;
  std::map<std::string, SafetensorsEntry> entries;
  for (const auto& [name, tensor] : header.items()) {
    if (name != "__metadata__") entries[name] = parse_entry(path, name, tensor, data_begin, size - data_begin);
  }
  require_gapless(path, entries, data_begin, size);
  return entries;
}

}  // namespace Sward
