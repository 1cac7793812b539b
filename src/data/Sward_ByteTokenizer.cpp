#include <fmt/core.h>

#include <stdexcept>

#include "Sward_Tokenizer.hpp"

namespace Sward {
namespace {

class ByteEncoder : public TextEncoder {
 public:
  void append(std::string_view part, bool /*begins*/, std::vector<std::uint32_t>& tokens) override {
    tokens.reserve(tokens.size() + part.size());
    for (const char byte : part) tokens.push_back(static_cast<unsigned char>(byte));
  }
};

class ByteTokenizer : public Tokenizer {
 public:
  std::vector<std::uint32_t> encode(std::string_view text) const override {
    std::vector<std::uint32_t> tokens;
    ByteEncoder().append(text, true, tokens);
    return tokens;
  }

  std::unique_ptr<TextEncoder> make_encoder() const override { return std::make_unique<ByteEncoder>(); }
  bool can_cut() const override { return true; }
  std::size_t last_cut(std::string_view text) const override { return text.size(); }
  bool needs_utf8() const override { return false; }

  std::string decode(std::span<const std::uint32_t> tokens) const override {
    std::string text;
    for (const std::uint32_t token : tokens) {
      if (token >= vocab_size()) throw std::out_of_range(fmt::format("token {} is not below {}", token, vocab_size()));
      if (token < begin_token()) text.push_back(static_cast<char>(token));
    }
    return text;
  }

  std::uint32_t vocab_size() const override { return 258; }
  std::uint32_t begin_token() const override { return 256; }
  std::uint32_t end_token() const override { return 257; }
  std::string name() const override { return "bytes"; }
  std::string model() const override { return {}; }
};

}  // namespace

std::unique_ptr<Tokenizer> make_byte_tokenizer() { return std::make_unique<ByteTokenizer>(); }

}  // namespace Sward
