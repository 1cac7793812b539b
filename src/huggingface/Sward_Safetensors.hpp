#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace Sward {

/// The types of tensors that are read.
enum class SafetensorsType { f16, bf16, f32, f64 };

/// Where one tensor lies in its file, in bytes from the file's begin.
struct SafetensorsEntry {
  SafetensorsType type = SafetensorsType::f32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  /// Number of elements; 1 for a scalar.
  std::uint64_t count() const;
};

/// One safetensors file, its header read and checked: every offset lies in the file, the tensors fill it without gap or
/// overlap, and sizes agree with shapes and types. Every error is an InputError naming the file and the tensor.
/// Format: https://huggingface.co/docs/safetensors
class SafetensorsFile {
 public:
  explicit SafetensorsFile(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }

  /// The elements of a tensor in row-major order. float16, bfloat16 and float keep their values; double is rounded.
  std::vector<float> read(const std::string& name) const;

 private:
  std::filesystem::path path_;
  std::map<std::string, SafetensorsEntry> entries_;
};

/// The tensors of a folder: model.safetensors, or the shards that model.safetensors.index.json names.
/// Every error is an InputError naming the file.
class SafetensorsFolder {
 public:
  explicit SafetensorsFolder(const std::filesystem::path& folder);
  // `tensors_` points into `files_`, whose entries stay in place when it is moved but not when it is copied.
  SafetensorsFolder(const SafetensorsFolder&) = delete;
  SafetensorsFolder& operator=(const SafetensorsFolder&) = delete;
  ~SafetensorsFolder() = default;
  SafetensorsFolder(SafetensorsFolder&&) = default;
  SafetensorsFolder& operator=(SafetensorsFolder&&) = default;

  /// Every tensor's name, in alphabetical order, with the file that holds it.
  const std::map<std::string, const SafetensorsFile*>& tensors() const { return tensors_; }
  const SafetensorsEntry& entry(const std::string& name) const;
  std::vector<float> read(const std::string& name) const;

 private:
  void open_shards(const std::filesystem::path& index);

  std::filesystem::path folder_;
  std::map<std::string, SafetensorsFile> files_;
  std::map<std::string, const SafetensorsFile*> tensors_;
};

}  // namespace Sward
