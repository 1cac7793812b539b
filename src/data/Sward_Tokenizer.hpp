#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace Sward {

class TokenFile;

/// Encodes long texts, part after part, for one thread. The tokenizer must outlive it.
class TextEncoder {
 public:
  virtual ~TextEncoder() = default;
  /// Appends the tokens of a part of a text. Where the parts end at `Tokenizer::last_cut`, their tokens together are
  /// those of the whole text. `begins` says that this part is the first one.
  virtual void append(std::string_view part, bool begins, std::vector<std::uint32_t>& tokens) = 0;
};

/// Turns text into token numbers and back. Encoding adds neither a begin nor an end.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// The tokens of a whole text.
  virtual std::vector<std::uint32_t> encode(std::string_view text) const = 0;
  /// Gives the same tokens as `encode`.
  virtual std::unique_ptr<TextEncoder> make_encoder() const = 0;
  /// False where a text has to be encoded as a whole, and a part that continues one is encoded like a text of its own.
  virtual bool can_cut() const = 0;
  /// The last place at which this text can be cut without a change of its tokens, 0 where there is none.
  virtual std::size_t last_cut(std::string_view text) const = 0;
  /// Text has to be UTF-8; otherwise any bytes will do.
  virtual bool needs_utf8() const = 0;
  /// Begin and end tokens leave no trace. Throws std::out_of_range for a token outside the vocabulary.
  virtual std::string decode(std::span<const std::uint32_t> tokens) const = 0;

  /// Tokens are 0 to vocab_size() - 1; begin and end are among them.
  virtual std::uint32_t vocab_size() const = 0;
  virtual std::uint32_t begin_token() const = 0;
  virtual std::uint32_t end_token() const = 0;
  /// The name that token files carry: "bytes" or "sentencepiece".
  virtual std::string name() const = 0;
  /// The model that makes this tokenizer again, empty for one that needs none.
  virtual std::string model() const = 0;
};

/// Tokens 0 to 255 are the bytes themselves, 256 begins and 257 ends a document.
std::unique_ptr<Tokenizer> make_byte_tokenizer();

/// A SentencePiece tokenizer from the bytes of its model; `source` names them in errors.
/// Throws InputError when they are not a model, or one without a begin and an end piece.
std::unique_ptr<Tokenizer> make_sentencepiece_tokenizer(std::string_view model, const std::string& source);

/// The bytes of a file with a SentencePiece model. Throws InputError when it cannot be read.
std::string read_tokenizer_model(const std::filesystem::path& path);

/// "bytes", or the path of a SentencePiece model. Throws InputError when there is no such model.
std::unique_ptr<Tokenizer> make_tokenizer(const std::string& name_or_path);

/// The tokenizer that a token file was made with; null where it names none that is known here, or carries no model.
std::unique_ptr<Tokenizer> make_tokenizer(const TokenFile& file);

}  // namespace Sward
