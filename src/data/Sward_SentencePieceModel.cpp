#include "Sward_SentencePieceModel.hpp"

#include <fmt/core.h>

#include <cstdint>
#include <optional>

#include "Sward_InputError.hpp"

namespace Sward {
namespace {

/// One field of a message: a number, or the bytes of a text or of a message inside.
struct Field {
  std::uint64_t number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

/// The fields of a message in protocol buffers' wire format (protobuf.dev/programming-guides/encoding).
class FieldReader {
 public:
  FieldReader(std::string_view message, const std::string& source) : message_(message), source_(source) {}

  std::optional<Field> next() {
    if (message_.empty()) return std::nullopt;
    const std::uint64_t tag = variable_number();
    Field field{tag >> 3, 0, {}};
    switch (tag & 7) {
      case 0:
        field.value = variable_number();
        break;
      case 1:
        field.bytes = take(8);
        break;
      case 2:
        field.bytes = take(variable_number());
        break;
      case 5:
        field.bytes = take(4);
        break;
      default:
        fail();
    }
    return field;
  }

 private:
  [[noreturn]] void fail() const { throw InputError(fmt::format("{}: not a SentencePiece model", source_)); }

  std::string_view take(std::uint64_t size) {
    if (size > message_.size()) fail();
    const std::string_view bytes = message_.substr(0, size);
    message_.remove_prefix(size);
    return bytes;
  }

  std::uint64_t variable_number() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      number |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80U) return number;
    }
    fail();
  }

  std::string_view message_;
  const std::string& source_;
};

void read_piece(std::string_view message, const std::string& source, SentencePieceModel& model) {
  enum Type : std::uint64_t { normal = 1, user_defined = 4, unused = 5 };
  std::uint64_t type = normal;
  std::string_view text;
  FieldReader fields(message, source);
  while (const auto field = fields.next()) {
    if (field->number == 1) text = field->bytes;
    if (field->number == 3) type = field->value;
  }
  if (type == normal || type == user_defined) model.pieces.emplace_back(text);
  if (type == unused) model.has_unused_pieces = true;
}

void read_trainer(std::string_view message, const std::string& source, SentencePieceModel& model) {
  constexpr std::uint64_t bpe = 2;
  FieldReader fields(message, source);
  while (const auto field = fields.next()) {
    if (field->number == 3) model.is_bpe = field->value == bpe;
    if (field->number == 24) model.whitespace_as_suffix = field->value != 0;
    if (field->number == 35) model.byte_fallback = field->value != 0;
  }
}

void read_normalizer(std::string_view message, const std::string& source, SentencePieceModel& model) {
  FieldReader fields(message, source);
  while (const auto field = fields.next()) {
    if (field->number == 2) model.has_character_map = !field->bytes.empty();
    if (field->number == 3) model.add_dummy_prefix = field->value != 0;
    if (field->number == 4) model.remove_extra_whitespaces = field->value != 0;
    if (field->number == 5) model.escape_whitespaces = field->value != 0;
  }
}

}  // namespace

SentencePieceModel read_sentencepiece_model(std::string_view model, const std::string& source) {
  SentencePieceModel result;
  FieldReader fields(model, source);
  while (const auto field = fields.next()) {
    if (field->number == 1) read_piece(field->bytes, source, result);
    if (field->number == 2) read_trainer(field->bytes, source, result);
    if (field->number == 3) read_normalizer(field->bytes, source, result);
  }
  return result;
}

}  // namespace Sward
