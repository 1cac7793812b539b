#include <fmt/core.h>
#include <sentencepiece_processor.h>

#include <stdexcept>

#include "Sward_InputError.hpp"
#include "Sward_Tokenizer.hpp"

namespace Sward {
namespace {

class SentencePieceTokenizer : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string_view model, const std::string& source) : model_(model) {
    const sentencepiece::util::Status status = processor_.LoadFromSerializedProto(model_);
    if (model_.empty() || !status.ok()) {
      throw InputError(fmt::format("{}: not a SentencePiece model", source));
    }
    if (processor_.bos_id() < 0 || processor_.eos_id() < 0) {
      throw InputError(fmt::format("{}: this SentencePiece model has no begin or no end piece", source));
    }
  }

  std::vector<std::uint32_t> encode(std::string_view text) const override {
    std::vector<int> pieces;
    const sentencepiece::util::Status status = processor_.Encode(text, &pieces);
    if (!status.ok()) throw std::runtime_error("SentencePiece: " + status.ToString());
    return {pieces.begin(), pieces.end()};
  }

  std::string decode(std::span<const std::uint32_t> tokens) const override {
    std::vector<int> pieces;
    for (const std::uint32_t token : tokens) {
      if (token >= vocab_size()) throw std::out_of_range(fmt::format("token {} is not below {}", token, vocab_size()));
      pieces.push_back(static_cast<int>(token));
    }
    std::string text;
    const sentencepiece::util::Status status = processor_.Decode(pieces, &text);
    if (!status.ok()) throw std::runtime_error("SentencePiece: " + status.ToString());
    return text;
  }

  std::uint32_t vocab_size() const override { return static_cast<std::uint32_t>(processor_.GetPieceSize()); }
  std::uint32_t begin_token() const override { return static_cast<std::uint32_t>(processor_.bos_id()); }
  std::uint32_t end_token() const override { return static_cast<std::uint32_t>(processor_.eos_id()); }
  std::string name() const override { return "sentencepiece"; }
  std::string model() const override { return model_; }

 private:
  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view model, const std::string& source) {
  return std::make_unique<SentencePieceTokenizer>(model, source);
}

}  // namespace Sward
