#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "Sward_LlamaShape.hpp"
#include "Sward_ParameterList.hpp"
#include "Sward_Safetensors.hpp"

namespace Sward {

/// A Hugging Face folder opened for reading: config.json, and weights that are exactly the parameters of its shape.
/// Throws InputErrorList with a line for each tensor that is missing, unexpected, or of the wrong shape, InputError for
/// all else. Rotary tables that old folders carry are passed over, and so is an lm_head.weight beside tied embeddings
/// if it equals them.
class HuggingFaceFolder {
 public:
  explicit HuggingFaceFolder(const std::filesystem::path& folder);

  const LlamaShape& shape() const { return shape_; }
  /// `list_parameters(shape())`.
  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  /// A parameter's elements, row-major.
  std::vector<float> read(const std::string& name) const { return tensors_.read(name); }

 private:
  void check_tensors(const std::filesystem::path& folder) const;
  void check_tied_head(const std::filesystem::path& folder) const;

  LlamaShape shape_;
  std::vector<ParameterInfo> parameters_;
  SafetensorsFolder tensors_;
};

}  // namespace Sward
