#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "Sward_AtomicFile.hpp"
#include "Sward_Safetensors.hpp"

namespace Sward {

/// A tensor that will be written.
struct SafetensorsTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Writes a safetensors file, one tensor at a time; it appears under its name with `commit()`, whole or not at all.
/// Failures are std::runtime_error naming the file.
class SafetensorsWriter {
 public:
  /// Declares the tensors; they are then written in this order, as f32, or rounded to the nearest f16 or bf16.
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors,
                    SafetensorsType type = SafetensorsType::f32);

  /// Writes the next tensor. Throws std::invalid_argument unless it has the declared name and number of elements, and
  /// InputError naming the tensor where a finite value is beyond the type's largest.
  void write(const std::string& name, std::span<const float> values);

  /// Closes the file, still without its name. Throws std::invalid_argument while a declared tensor is missing.
  void finish();

  /// Finishes the file if that is yet to do, and gives it its name.
  void commit();

 private:
  struct Expected {
    std::string name;
    std::size_t count;
  };

  std::vector<std::uint16_t> narrowed(const std::string& name, std::span<const float> values) const;
  void write_bytes(const void* bytes, std::size_t count);

  AtomicFile atomic_;
  std::ofstream stream_;
  SafetensorsType type_;
  std::vector<Expected> expected_;
  std::size_t written_ = 0;
};

}  // namespace Sward
