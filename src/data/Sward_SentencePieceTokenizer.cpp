#include <fmt/core.h>
#include <sentencepiece_processor.h>

#include <optional>
#include <stdexcept>

#include "Sward_InputError.hpp"
#include "Sward_PieceBoundaries.hpp"
#include "Sward_TokenCache.hpp"
#include "Sward_Tokenizer.hpp"

namespace Sward {
namespace {

using sentencepiece::SentencePieceProcessor;

std::vector<int> encode_whole(const SentencePieceProcessor& processor, std::string_view text) {
  std::vector<int> pieces;
  const sentencepiece::util::Status status = processor.Encode(text, &pieces);
  if (!status.ok()) throw std::runtime_error("SentencePiece: " + status.ToString());
  return pieces;
}

/// Encodes whole texts.
class WholeEncoder : public TextEncoder {
 public:
  explicit WholeEncoder(const SentencePieceProcessor& processor) : processor_(processor) {}

  void append(std::string_view part, bool /*begins*/, std::vector<std::uint32_t>& tokens) override {
    const std::vector<int> pieces = encode_whole(processor_, part);
    tokens.insert(tokens.end(), pieces.begin(), pieces.end());
  }

 private:
  const SentencePieceProcessor& processor_;
};

/// Cuts a text wherever a piece surely begins, and keeps the tokens of short stretches between such places: the words
/// of a language are few, and a merge costs much more than to find a word again.
class StretchEncoder : public TextEncoder {
 public:
  StretchEncoder(const SentencePieceProcessor& processor, const PieceBoundaries& boundaries, bool adds_prefix)
      : processor_(processor),
        boundaries_(boundaries),
        adds_prefix_(adds_prefix),
        lead_(1, boundaries.lone_character()) {
    lead_tokens_ = encode_whole(processor_, lead_).size();
  }

  void append(std::string_view part, bool begins, std::vector<std::uint32_t>& tokens) override {
    for (std::size_t start = 0; start < part.size();) {
      const std::size_t end = boundaries_.next(part, start);
      const std::string_view stretch = part.substr(start, end - start);
      if (start == 0 && begins && adds_prefix_) {
        append_stretch(" " + std::string(stretch), tokens);
      } else {
        append_stretch(stretch, tokens);
      }
      start = end;
    }
  }

 private:
  void append_stretch(std::string_view stretch, std::vector<std::uint32_t>& tokens) {
    if (stretch.size() > TokenCache::longest_text) return append_encoded(stretch, tokens);
    const std::span<const std::uint32_t> kept = cache_.find(stretch);
    if (!kept.empty()) {
      tokens.insert(tokens.end(), kept.begin(), kept.end());
      return;
    }
    const std::size_t before = tokens.size();
    append_encoded(stretch, tokens);
    cache_.keep(stretch, std::span(tokens).subspan(before));
  }

  /// SentencePiece puts a space in front of all that it encodes. It stands for the stretch's own; where there is none,
  /// a character that never joins another one keeps it away from the stretch.
  void append_encoded(std::string_view stretch, std::vector<std::uint32_t>& tokens) {
    std::size_t passed_over = 0;
    std::vector<int> pieces;
    if (!adds_prefix_) {
      pieces = encode_whole(processor_, stretch);
    } else if (stretch.size() > 1 && stretch.front() == ' ') {
      pieces = encode_whole(processor_, stretch.substr(1));
    } else {
      pieces = encode_whole(processor_, lead_ + std::string(stretch));
      passed_over = lead_tokens_;
    }
    tokens.insert(tokens.end(), pieces.begin() + static_cast<std::ptrdiff_t>(passed_over), pieces.end());
  }

  const SentencePieceProcessor& processor_;
  const PieceBoundaries& boundaries_;
  bool adds_prefix_;
  std::string lead_;
  std::size_t lead_tokens_ = 0;
  TokenCache cache_;
};

/// The argument of PieceBoundaries holds for merges by score, on text that is not changed before, where each character
/// without a piece becomes its own bytes. (Unused pieces are taken apart in a way that depends on the whole text.)
bool merges_are_local(const SentencePieceModel& model) {
  return model.is_bpe && model.byte_fallback && !model.has_unused_pieces && !model.has_character_map &&
         !model.remove_extra_whitespaces && model.escape_whitespaces && !model.whitespace_as_suffix;
}

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
    const SentencePieceModel settings = read_sentencepiece_model(model_, source);
    adds_prefix_ = settings.add_dummy_prefix;
    if (merges_are_local(settings)) boundaries_.emplace(settings);
    if (boundaries_ && boundaries_->lone_character() == '\0') boundaries_.reset();
  }

  std::vector<std::uint32_t> encode(std::string_view text) const override {
    const std::vector<int> pieces = encode_whole(processor_, text);
    return {pieces.begin(), pieces.end()};
  }

  std::unique_ptr<TextEncoder> make_encoder() const override {
    if (!boundaries_) return std::make_unique<WholeEncoder>(processor_);
    return std::make_unique<StretchEncoder>(processor_, *boundaries_, adds_prefix_);
  }

  bool can_cut() const override { return boundaries_.has_value(); }
  std::size_t last_cut(std::string_view text) const override { return boundaries_ ? boundaries_->last(text) : 0; }
  bool needs_utf8() const override { return true; }

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
  SentencePieceProcessor processor_;
  std::optional<PieceBoundaries> boundaries_;
  bool adds_prefix_ = true;
};

}  // namespace

std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view model, const std::string& source) {
  return std::make_unique<SentencePieceTokenizer>(model, source);
}

}  // namespace Sward
