#pragma once

#include <array>
#include <string_view>

namespace Sward::Fuzz {

// Each reads the bytes as a file of its kind, all of it. Bytes that are no such file are reported by an InputError
// naming the file, which the function takes as an answer; every other exception leaves it, and is a finding.

/// A configuration; what follows a line "--set" are settings, one a line.
void fuzz_configuration(std::string_view bytes);
void fuzz_safetensors(std::string_view bytes);
void fuzz_huggingface_config(std::string_view bytes);
void fuzz_token_file(std::string_view bytes);
void fuzz_checkpoint(std::string_view bytes);

struct Target {
  const char* name;  ///< also of its folders in corpus/ and failures/
  void (*read)(std::string_view bytes);
};

constexpr std::array targets{Target{"configuration", fuzz_configuration}, Target{"safetensors", fuzz_safetensors},
                             Target{"huggingface_config", fuzz_huggingface_config},
                             Target{"token_file", fuzz_token_file}, Target{"checkpoint", fuzz_checkpoint}};

}  // namespace Sward::Fuzz
