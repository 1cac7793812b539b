#pragma once

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string_view>

namespace Sward {

/// Reads one JSON value of a file that others wrote. The result `is_discarded()` where the text is not JSON, or nests
/// deeper than any file of a model: comparing, copying and printing a value takes stack for each level.
nlohmann::json parse_json(std::string_view text);
nlohmann::json parse_json(std::istream& stream);

}  // namespace Sward
