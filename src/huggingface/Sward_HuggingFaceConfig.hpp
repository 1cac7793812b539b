#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "Sward_LlamaShape.hpp"

namespace Sward {

/// Reads the shape out of a Hugging Face folder's config.json, of model type llama, or mistral without a sliding
/// window. Rotary settings may stand in rope_parameters (transformers 5) or as rope_theta beside rope_scaling
/// (transformers 4), unscaled, linear or llama3. Throws InputError naming the file and the key for anything that would
/// make another model than Sward's, for a conflict, and for a shape that cannot be.
LlamaShape read_huggingface_config(const std::filesystem::path& folder);

/// Writes config.json, in a form that transformers 4 and 5 both read, whole or not at all. The folder must exist.
/// `max_position_embeddings` is the longest sequence that users of the model are told to expect, `dtype` torch's name
/// of the weights' type. Throws std::runtime_error naming the file.
void write_huggingface_config(const std::filesystem::path& folder, const LlamaShape& shape,
                              std::int64_t max_position_embeddings = 2048, const std::string& dtype = "float32");

}  // namespace Sward
