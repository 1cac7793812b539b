#include "Sward_PieceBoundaries.hpp"

#include <algorithm>

namespace Sward {
namespace {

struct Character {
  char32_t code = 0;
  std::size_t length = 1;
};

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U; }

/// The character at this position of well-formed UTF-8. Other bytes give some number, and a length within the text.
Character character_at(std::string_view text, std::size_t position) {
  const auto lead = static_cast<unsigned char>(text[position]);
  if (lead < 0x80U) return {lead, 1};
  const std::size_t wanted = lead < 0xe0U ? 2 : lead < 0xf0U ? 3 : 4;
  Character character{lead & (0xffU >> (wanted + 1)), std::min(wanted, text.size() - position)};
  for (std::size_t i = 1; i < character.length; ++i) {
    character.code = character.code << 6 | (static_cast<unsigned char>(text[position + i]) & 0x3fU);
  }
  constexpr char32_t space_mark = 0x2581;
  if (character.code == space_mark) character.code = U' ';
  return character;
}

std::uint64_t pair_key(char32_t left, char32_t right) { return std::uint64_t{left} << 32 | right; }

}  // namespace

PieceBoundaries::PieceBoundaries(const SentencePieceModel& model) {
  for (const std::string& piece : model.pieces) add_pairs(piece);
}

void PieceBoundaries::add_pairs(std::string_view piece) {
  if (piece.empty()) return;
  Character left = character_at(piece, 0);
  for (std::size_t i = left.length; i < piece.size();) {
    const Character right = character_at(piece, i);
    if (left.code < ascii) joined_[left.code] = true;
    if (right.code < ascii) joined_[right.code] = true;
    if (left.code < ascii && right.code < ascii) {
      ascii_pairs_[left.code * ascii + right.code] = true;
    } else {
      other_pairs_.insert(pair_key(left.code, right.code));
    }
    i += right.length;
    left = right;
  }
}

bool PieceBoundaries::may_join(char32_t left, char32_t right) const {
  if (left < ascii && right < ascii) return ascii_pairs_[left * ascii + right];
  return other_pairs_.contains(pair_key(left, right));
}

std::size_t PieceBoundaries::next(std::string_view text, std::size_t start) const {
  Character left = character_at(text, start);
  for (std::size_t i = start + left.length; i < text.size();) {
    const Character right = character_at(text, i);
    if (!may_join(left.code, right.code)) return i;
    i += right.length;
    left = right;
  }
  return text.size();
}

std::size_t PieceBoundaries::last(std::string_view text) const {
  const auto start_before = [&](std::size_t end) {
    do {
      --end;
    } while (end > 0 && continues(text[end]));
    return end;
  };
  if (text.empty()) return 0;
  // The last character may be incomplete, so the place in front of it is passed over.
  std::size_t right = start_before(text.size());
  while (right > 0) {
    right = start_before(right);
    if (right == 0) break;
    const std::size_t left = start_before(right);
    if (!may_join(character_at(text, left).code, character_at(text, right).code)) return right;
  }
  return 0;
}

char PieceBoundaries::lone_character() const {
  for (std::size_t code = 1; code < ascii; ++code) {
    if (!joined_[code]) return static_cast<char>(code);
  }
  return '\0';
}

}  // namespace Sward
