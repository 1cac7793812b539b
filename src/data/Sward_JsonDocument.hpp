#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "Sward_BadDocuments.hpp"

namespace Sward {

/// The names under which JSON lines hold text.
struct JsonFields {
  std::string text = "text";
  std::string prompt = "prompt";
  std::string response = "response";
};

/// A document of text: without a prompt `has_prompt` is false and all the text in `text`; else that is the response.
struct JsonText {
  bool has_prompt = false;
  std::string prompt;
  std::string text;
};

/// A document that is tokens already. The mask is as long as the tokens, or empty where all count.
struct JsonTokens {
  std::vector<std::uint32_t> tokens;
  std::vector<std::uint8_t> mask;
};

/// Reads one line: an object with either the text field, or both prompt and response, each a string.
/// Throws BadDocument.
JsonText read_json_text(std::string_view line, const JsonFields& fields);

/// Reads one line: an object with `input_ids`, an array of integers below `vocab_size`, and `loss_mask` where there is
/// one, an array of so many 0 and 1 (or false and true). Throws BadDocument.
JsonTokens read_json_tokens(std::string_view line, std::uint32_t vocab_size);

}  // namespace Sward
