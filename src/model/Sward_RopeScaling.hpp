#pragma once

#include <optional>
#include <string>

#include "Sward_RotaryScaling.hpp"

namespace Sward {

/// The kind that config.json calls so: "default" (none), "linear" or "llama3"; nothing for any other name.
std::optional<RotaryScaling::Kind> find_rope_type(const std::string& name);

/// The name of a kind in config.json.
std::string rope_type_name(RotaryScaling::Kind kind);

/// "none", or a table in TOML's notation with the keys of config.json; different texts for different scalings.
std::string to_text(const RotaryScaling& scaling);

/// Throws InputError, beginning with `source`, for a factor below 1, and for llama3 when 0 < low_freq_factor <
/// high_freq_factor or original_max_position_embeddings >= 1 does not hold.
void check(const RotaryScaling& scaling, const std::string& source);

}  // namespace Sward
