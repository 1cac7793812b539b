#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "Sward_Hdf5IntegerArray.hpp"

namespace Sward {

/// A token file opened for reading: /tokens (1-D integers of any width and layout) and, on the root, the attributes
/// format_version, vocab_size and tokenizer; optional are /loss_mask and /document_starts, integers of any width too.
/// Every error is an InputError naming the file.
class TokenFile {
 public:
  explicit TokenFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  std::uint64_t token_count() const { return tokens_.size(); }
  /// Whole sequences of so many tokens, each with the target behind its last one.
  std::uint64_t sequence_count(std::uint64_t length) const;
  /// Tokens are below this number; it is 1 to 2^31 - 1.
  std::uint32_t vocab_size() const { return vocab_size_; }
  /// "none" where there is no text, "bytes", "sentencepiece", or another program's own name.
  const std::string& tokenizer() const { return tokenizer_; }
  /// The SentencePiece model that the tokens were made with, empty if the file does not carry one.
  std::string tokenizer_model() const;

  /// Tokens offset to offset + count - 1, as stored: `check_tokens` compares with the vocabulary.
  std::vector<std::uint32_t> read(std::uint64_t offset, std::uint64_t count) const;

  bool has_loss_mask() const { return loss_mask_.has_value(); }
  /// For tokens offset to offset + count - 1: 1 where the token counts as a target, 0 where it does not. All 1 in a
  /// file without /loss_mask. Throws for any other value.
  std::vector<std::uint32_t> loss_mask(std::uint64_t offset, std::uint64_t count) const;

  bool has_document_starts() const;
  /// The positions of the documents' first tokens. Throws where there are none, or where they do not begin with 0, do
  /// not ascend, or are not below the number of tokens.
  std::vector<std::uint64_t> document_starts() const;

 private:
  Hdf5File file_;
  Hdf5IntegerArray tokens_;
  std::optional<Hdf5IntegerArray> loss_mask_;
  std::uint32_t vocab_size_ = 0;
  std::string tokenizer_;
};

/// Reads tokens first to first + count - 1 in blocks. Throws InputError naming file, position and token at the first
/// one that is not below vocab_size, and where the loss mask is neither 0 nor 1.
void check_tokens(const TokenFile& file, std::uint64_t first, std::uint64_t count, std::uint32_t vocab_size);

/// Whether any of the tokens first to first + count - 1 counts as a target; reads no further than the first of them.
bool has_counting_target(const TokenFile& file, std::uint64_t first, std::uint64_t count);

}  // namespace Sward
