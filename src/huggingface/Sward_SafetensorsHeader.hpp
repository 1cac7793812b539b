#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "Sward_Safetensors.hpp"

namespace Sward {

/// Reads and checks the header of an open safetensors file. Throws InputError naming the file and the tensor.
std::map<std::string, SafetensorsEntry> read_safetensors_header(const std::filesystem::path& path, int descriptor);

/// Bytes of one element.
std::uint64_t element_bytes(SafetensorsType type);

/// Reads exactly `count` bytes at `offset`; InputError naming the file where it ends before.
void read_bytes(const std::filesystem::path& path, int descriptor, std::uint64_t offset, void* bytes,
                std::uint64_t count);

}  // namespace Sward
