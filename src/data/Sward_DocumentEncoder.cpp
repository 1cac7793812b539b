#include "Sward_DocumentEncoder.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "Sward_FindInvalidUtf8.hpp"
#include "Sward_HashDocument.hpp"

namespace Sward {
namespace {

/// A long document's first part has at least so many bytes, and its hash must not depend on where that part ends.
constexpr std::size_t hashed_size = part_size / 16;

std::uint64_t hash_front(std::string_view text) { return hash_document(text.substr(0, hashed_size)); }

std::uint64_t hash_tokens(std::span<const std::uint32_t> tokens) {
  std::string bytes;
  for (const std::uint32_t token : tokens.first(std::min(tokens.size(), hashed_size / 4))) {
    for (unsigned shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(token >> shift));
  }
  return hash_document(bytes);
}

void require_utf8(std::string_view text) {
  const std::size_t position = find_invalid_utf8(text);
  if (position == std::string_view::npos) return;
  throw BadDocument(DocumentFault::invalid_utf8, fmt::format("this document is not UTF-8: byte 0x{:02x}",
                                                             static_cast<unsigned char>(text[position])));
}

}  // namespace

DocumentEncoder::DocumentEncoder(const Tokenizer* tokenizer, std::uint32_t vocab_size, JsonFields fields)
    : tokenizer_(tokenizer), vocab_size_(vocab_size), fields_(std::move(fields)) {
  if (tokenizer_ != nullptr) encoder_ = tokenizer_->make_encoder();
}

EncodedPart DocumentEncoder::encode(const DocumentPart& part, DocumentForm form) {
  EncodedPart encoded;
  encoded.line = part.line;
  encoded.begins = part.begins;
  encoded.ends = part.ends;
  try {
    if (part.is_overlong) {
      throw BadDocument(DocumentFault::overlong,
                        form == DocumentForm::text
                            ? "this document has no place at which it can be cut, such as a "
                              "space, within 2 MiB"
                            : fmt::format("this line is longer than {} MiB", json_line_size >> 20));
    }
    if (form == DocumentForm::text) encode_text(part.text, part.begins, encoded);
    if (form == DocumentForm::json_text) encode_json_text(part.text, encoded);
    if (form == DocumentForm::json_tokens) encode_json_tokens(part.text, encoded);
  } catch (const BadDocument& fault) {
    encoded.fault = fault;
  }
  return encoded;
}

void DocumentEncoder::encode_text(std::string_view text, bool begins, EncodedPart& encoded) {
  if (tokenizer_->needs_utf8()) require_utf8(text);
  encoded.bytes += text.size();
  encoded.is_blank = is_blank(text);
  if (begins) {
    encoded.hash = hash_front(text);
    encoded.tokens.push_back(tokenizer_->begin_token());
  }
  encoder_->append(text, begins, encoded.tokens);
}

void DocumentEncoder::encode_json_text(std::string_view line, EncodedPart& encoded) {
  const JsonText document = read_json_text(line, fields_);
  if (!document.has_prompt) return encode_text(document.text, true, encoded);
  encode_text(document.prompt, true, encoded);
  encoded.mask.assign(encoded.tokens.size(), 0);
  encoder_->append(document.text, document.prompt.empty(), encoded.tokens);
  encoded.tokens.push_back(tokenizer_->end_token());
  encoded.mask.resize(encoded.tokens.size(), 1);
  encoded.bytes += document.text.size();
  encoded.is_blank = is_blank(document.text);
  encoded.hash = hash_front(document.prompt + document.text);
}

void DocumentEncoder::encode_json_tokens(std::string_view line, EncodedPart& encoded) const {
  JsonTokens document = read_json_tokens(line, vocab_size_);
  encoded.tokens = std::move(document.tokens);
  encoded.mask = std::move(document.mask);
  encoded.is_blank = encoded.tokens.empty();
  encoded.hash = hash_tokens(encoded.tokens);
}

}  // namespace Sward
