#include <gtest/gtest.h>

#include <random>
#include <string>

#include "Sward_FindInvalidUtf8.hpp"

namespace Sward::Test {
namespace {

/// UTF-8 by its definition: the shortest form of a number below 0x110000 that is no surrogate.
std::string encode(char32_t code) {
  const auto byte = [](char32_t value) { return static_cast<char>(value); };
  const auto tail = [&](unsigned shift) { return byte(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xc0 | code >> 6), tail(0)};
  if (code < 0x10000) return {byte(0xe0 | code >> 12), tail(6), tail(0)};
  return {byte(0xf0 | code >> 18), tail(12), tail(6), tail(0)};
}

TEST(find_invalid_utf8, takes_every_character_and_no_surrogate) {
  for (char32_t code = 0; code < 0x110000; ++code) {
    const bool is_surrogate = code >= 0xd800 && code < 0xe000;
    const std::string text = "ab" + encode(code) + "c";
    ASSERT_EQ(find_invalid_utf8(text), is_surrogate ? 2 : std::string::npos) << std::hex << std::uint32_t{code};
  }
}

TEST(find_invalid_utf8, takes_exactly_the_sequences_that_characters_have) {
  // Every sequence of three bytes, against the list of all characters that fit.
  std::vector<bool> is_character(std::size_t{1} << 24);
  for (char32_t code = 0; code < 0x10000; ++code) {
    const std::string text = encode(code);
    if (text.size() != 3 || (code >= 0xd800 && code < 0xe000)) continue;
    std::size_t number = 0;
    for (const char letter : text) number = number << 8 | static_cast<unsigned char>(letter);
    is_character[number] = true;
  }
  for (std::size_t number = 0xc00000; number < is_character.size(); ++number) {
    const std::string text = {static_cast<char>(number >> 16), static_cast<char>(number >> 8),
                              static_cast<char>(number)};
    ASSERT_EQ(utf8_sequence_length(text) == 3, is_character[number]) << std::hex << number;
  }
}

TEST(find_invalid_utf8, finds_the_first_bad_byte_anywhere) {
  std::mt19937 engine(5);
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string front = std::string(length, 'a') + (engine() % 2 ? encode(0x20ac) : "");
    EXPECT_EQ(find_invalid_utf8(front), std::string::npos);
    for (const std::string bad :
         {"\x80", "\xff", "\xc0\x80", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x9f\x8c"}) {
      EXPECT_EQ(find_invalid_utf8(front + bad), front.size());
      EXPECT_EQ(find_invalid_utf8(front + bad + "tail of text"), front.size());
    }
  }
}

}  // namespace
}  // namespace Sward::Test
