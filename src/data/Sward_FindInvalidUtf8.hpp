#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace Sward {

/// Length in bytes of the well-formed UTF-8 sequence at the front of a text that is not empty (The Unicode Standard,
/// table 3-7); 0 where there is none.
constexpr std::size_t utf8_sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80U) return 1;
  if (lead < 0xc2U || lead > 0xf4U || !continues(1)) return 0;
  if (lead < 0xe0U) return 2;
  // Overlong forms, surrogates, and what lies beyond U+10FFFF show in the second byte.
  if ((lead == 0xe0U && byte(1) < 0xa0U) || (lead == 0xedU && byte(1) >= 0xa0U)) return 0;
  if ((lead == 0xf0U && byte(1) < 0x90U) || (lead == 0xf4U && byte(1) >= 0x90U)) return 0;
  if (!continues(2)) return 0;
  if (lead < 0xf0U) return 3;
  return continues(3) ? 4 : 0;
}

/// Position of the first byte that belongs to no well-formed UTF-8 sequence; npos where all do.
inline std::size_t find_invalid_utf8(std::string_view text) {
  constexpr std::uint64_t high_bits = 0x8080808080808080U;
  std::size_t i = 0;
  while (i < text.size()) {
    std::uint64_t block = high_bits;
    if (text.size() - i >= sizeof block) std::memcpy(&block, text.data() + i, sizeof block);
    if ((block & high_bits) == 0) {
      i += sizeof block;
      continue;
    }
    const std::size_t length = utf8_sequence_length(text.substr(i));
    if (length == 0) return i;
    i += length;
  }
  return std::string_view::npos;
}

}  // namespace Sward
