// Writes a token file and reads it back, with the installed library.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileWriter.hpp"
#include "Sward_Tokenizer.hpp"

int main() {
  const auto tokenizer = Sward::make_tokenizer("bytes");
  const std::vector<std::uint32_t> tokens = tokenizer->encode("structured sparse gradients");
  const std::filesystem::path path = "consumer-tokens.h5";
  Sward::TokenFileWriter writer(path, tokenizer->vocab_size(), tokenizer->name(), tokenizer->model());
  writer.append(tokens);
  writer.commit();
  const Sward::TokenFile file(path);
  const bool equal = file.read(0, file.token_count()) == tokens && file.vocab_size() == tokenizer->vocab_size();
  std::printf("%s\n", equal ? "equal" : "different");
  return equal ? 0 : 1;
}
