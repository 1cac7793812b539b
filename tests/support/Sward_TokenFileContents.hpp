#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "Sward_Hdf5.hpp"

namespace Sward::Test {

/// A token file with optional parts, written without a check of any of them.
struct TokenFileContents {
  std::vector<std::uint32_t> tokens;
  std::uint32_t vocab_size = 100;
  std::string tokenizer = "none";
  std::optional<std::vector<std::uint8_t>> loss_mask = {};
  std::optional<std::vector<std::uint64_t>> document_starts = {};
  std::string tokenizer_model = {};

  void write(const std::filesystem::path& path) const {
    Hdf5File file = Hdf5File::create(path);
    file.write("/tokens", std::span<const std::uint32_t>(tokens));
    if (loss_mask) file.write("/loss_mask", std::span<const std::uint8_t>(*loss_mask));
    if (document_starts) file.write("/document_starts", std::span<const std::uint64_t>(*document_starts));
    const std::vector<std::uint8_t> model(tokenizer_model.begin(), tokenizer_model.end());
    if (!model.empty()) file.write("/tokenizer_model", std::span<const std::uint8_t>(model));
    file.write_attribute("/", "format_version", std::int64_t{1});
    file.write_attribute("/", "vocab_size", std::int64_t{vocab_size});
    file.write_attribute("/", "tokenizer", std::string_view(tokenizer));
    file.close();
  }
};

}  // namespace Sward::Test
