#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "Sward_AtomicFile.hpp"

namespace Sward {

/// A tensor that will be written.
struct SafetensorsTensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// Writes a float32 safetensors file, one tensor at a time; it appears under its name with `commit()`, whole or not at
/// all. Failures are std::runtime_error naming the file.
class SafetensorsWriter {
 public:
  /// Declares the tensors; they are then written in this order.
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<SafetensorsTensor>& tensors);

  /// Writes the next tensor. Throws std::invalid_argument unless it has the declared name and number of elements.
  void write(const std::string& name, std::span<const float> values);

  /// Finishes the file and gives it its name. Throws std::invalid_argument while a declared tensor is missing.
  void commit();

 private:
  struct Expected {
    std::string name;
    std::size_t count;
  };

  AtomicFile atomic_;
  std::ofstream stream_;
  std::vector<Expected> expected_;
  std::size_t written_ = 0;
};

}  // namespace Sward
