#include "Sward_Tokenizer.hpp"

#include <fmt/core.h>

#include <fstream>
#include <iterator>

#include "Sward_InputError.hpp"
#include "Sward_TokenFile.hpp"

namespace Sward {

std::string read_tokenizer_model(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream || std::filesystem::is_directory(path)) {
    throw InputError(fmt::format("{}: cannot read this tokenizer model", path.string()));
  }
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name_or_path) {
  if (name_or_path == "bytes") return make_byte_tokenizer();
  return make_sentencepiece_tokenizer(read_tokenizer_model(name_or_path), name_or_path);
}

std::unique_ptr<Tokenizer> make_tokenizer(const TokenFile& file) {
  if (file.tokenizer() == "bytes") return make_byte_tokenizer();
  if (file.tokenizer() != "sentencepiece") return nullptr;
  const std::string model = file.tokenizer_model();
  if (model.empty()) return nullptr;
  return make_sentencepiece_tokenizer(model, file.path().string() + ": /tokenizer_model");
}

}  // namespace Sward
