#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "Sward_Hdf5IntegerArray.hpp"

namespace Sward {

/// A token file opened for reading: /tokens (1-D integers of any width and layout) and, on the root, the attributes
/// format_version, vocab_size and tokenizer. Every error is an InputError naming the file.
class TokenFile {
 public:
  explicit TokenFile(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return file_.path(); }
  std::uint64_t token_count() const { return tokens_.size(); }
  /// Tokens are below this number; it is 1 to 2^31 - 1.
  std::uint32_t vocab_size() const { return vocab_size_; }
  /// "none" where there is no text, "bytes", "sentencepiece", or another program's own name.
  const std::string& tokenizer() const { return tokenizer_; }
  /// The SentencePiece model that the tokens were made with, empty if the file does not carry one.
  std::string tokenizer_model() const;

  /// Tokens offset to offset + count - 1, as stored: `check_tokens` compares with the vocabulary.
  std::vector<std::uint32_t> read(std::uint64_t offset, std::uint64_t count) const;

  bool has_document_starts() const;
  /// The positions of the documents' first tokens.
  std::vector<std::uint64_t> document_starts() const;

 private:
  Hdf5File file_;
  Hdf5IntegerArray tokens_;
  std::uint32_t vocab_size_ = 0;
  std::string tokenizer_;
};

/// Reads tokens first to first + count - 1 in blocks. Throws InputError naming file, position and token at the first
/// one that is not below vocab_size.
void check_tokens(const TokenFile& file, std::uint64_t first, std::uint64_t count, std::uint32_t vocab_size);

}  // namespace Sward
