#pragma once

#include <array>
#include <string_view>

namespace Sward::Fuzz {

// Each reads the bytes as a file of its kind, all of it, and returns true. Bytes that are no such file are refused by
// an InputError naming the file: false. Every other exception leaves the function, and is a finding.

/// A configuration; what follows a line "--set" are settings, one a line.
bool fuzz_configuration(std::string_view bytes);
bool fuzz_safetensors(std::string_view bytes);
bool fuzz_huggingface_config(std::string_view bytes);
/// Plain lines, or a compressed file of them; each line is read as text and as tokens, and is refused as neither by a
/// BadDocument.
bool fuzz_json_lines(std::string_view bytes);
bool fuzz_token_file(std::string_view bytes);
bool fuzz_checkpoint(std::string_view bytes);

struct Target {
  const char* name;  ///< also of its folders in corpus/ and failures/
  bool (*read)(std::string_view bytes);
};

inline constexpr std::array targets{Target{"configuration", fuzz_configuration},
                                    Target{"safetensors", fuzz_safetensors},
                                    Target{"huggingface_config", fuzz_huggingface_config},
                                    Target{"json_lines", fuzz_json_lines},
                                    Target{"token_file", fuzz_token_file},
                                    Target{"checkpoint", fuzz_checkpoint}};

}  // namespace Sward::Fuzz
