#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "Sward_BadDocuments.hpp"
#include "Sward_DocumentReader.hpp"
#include "Sward_JsonDocument.hpp"
#include "Sward_Tokenizer.hpp"

namespace Sward {

/// What a document is written in: text, JSON lines with text, or JSON lines with tokens.
enum class DocumentForm { text, json_text, json_tokens };

/// The tokens of a document, or of a part of a long one, or what is wrong with it.
struct EncodedPart {
  std::vector<std::uint32_t> tokens;
  /// One a token, 0 where a target does not count; empty where all do.
  std::vector<std::uint8_t> mask;
  /// Bytes of text.
  std::uint64_t bytes = 0;
  /// In the first part: `hash_document` of the document's first 64 KiB.
  std::uint64_t hash = 0;
  std::uint64_t line = 0;
  bool begins = false;
  bool ends = false;
  /// No text but white space.
  bool is_blank = false;
  std::optional<BadDocument> fault;
};

/// Turns documents into tokens, for one thread. A text begins with the begin token; a response ends with the end token,
/// and of its document only response and end count as targets. Tokens are taken as they are.
class DocumentEncoder {
 public:
  /// `tokenizer`, which must outlive it, is null where documents are tokens below `vocab_size`.
  DocumentEncoder(const Tokenizer* tokenizer, std::uint32_t vocab_size, JsonFields fields);

  /// Parts of a document come in their order. What makes a document bad is in `fault`.
  EncodedPart encode(const DocumentPart& part, DocumentForm form);

 private:
  void encode_text(std::string_view text, bool begins, EncodedPart& encoded);
  void encode_json_text(std::string_view line, EncodedPart& encoded);
  void encode_json_tokens(std::string_view line, EncodedPart& encoded) const;

  const Tokenizer* tokenizer_;
  std::uint32_t vocab_size_;
  JsonFields fields_;
  std::unique_ptr<TextEncoder> encoder_;
};

}  // namespace Sward
