#include <gtest/gtest.h>

#include <random>
#include <set>

#include "Sward_PieceBoundaries.hpp"

namespace Sward::Test {
namespace {

const std::string space_mark = "\xe2\x96\x81";

SentencePieceModel model_of(const std::vector<std::string>& pieces) {
  SentencePieceModel model;
  model.pieces = pieces;
  return model;
}

/// The characters of a text, each as bytes, with the mark for a space.
std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> list;
  for (const char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0xc0U) == 0x80U) {
      list.back() += byte;
    } else {
      list.emplace_back(1, byte);
    }
  }
  return list;
}

/// Places by the definition: no piece contains the two characters in this order.
std::vector<std::size_t> places(const std::vector<std::string>& pieces, const std::string& text) {
  const auto marked = [](const std::string& letter) { return letter == " " ? space_mark : letter; };
  const std::vector<std::string> letters = characters(text);
  std::vector<std::size_t> list;
  std::size_t position = 0;
  for (std::size_t i = 1; i < letters.size(); ++i) {
    position += letters[i - 1].size();
    const std::string pair = marked(letters[i - 1]) + marked(letters[i]);
    bool is_held = false;
    for (const std::string& piece : pieces) is_held = is_held || piece.find(pair) != std::string::npos;
    if (!is_held) list.push_back(position);
  }
  return list;
}

TEST(PieceBoundaries, lie_where_no_piece_holds_both_characters) {
  const std::vector<std::string> pieces = {"a",
                                           "ab",
                                           space_mark + "a",
                                           space_mark + space_mark,
                                           "b\xc3\xa9",
                                           "\xc3\xa9\xf0\x9f\x8c\xb1",
                                           "cab" + space_mark,
                                           "\xe6\x97\xa5\xe6\x9c\xac"};
  const PieceBoundaries boundaries(model_of(pieces));
  const std::vector<std::string> letters = {
      "a", "b", "c", " ", space_mark, "\n", "\xc3\xa9", "\xf0\x9f\x8c\xb1", "\xe6\x97\xa5", "\xe6\x9c\xac"};
  std::mt19937 engine(19);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto i = engine() % 12; i > 0; --i) text += letters[engine() % letters.size()];
    const std::vector<std::size_t> wanted = places(pieces, text);
    std::vector<std::size_t> found;
    for (std::size_t place = 0; place < text.size();) {
      place = boundaries.next(text, place);
      if (place < text.size()) found.push_back(place);
    }
    ASSERT_EQ(found, wanted) << text;
    // The last one, of those before the last character, which could be the front of a longer one.
    const std::size_t end = text.empty() ? 0 : text.size() - characters(text).back().size();
    std::size_t last = 0;
    for (const std::size_t place : wanted) last = place < end ? place : last;
    EXPECT_EQ(boundaries.last(text), last) << text;
  }
}

TEST(PieceBoundaries, are_found_in_a_text_that_ends_inside_a_character) {
  const PieceBoundaries boundaries(model_of({"ab", "\xc3\xa9"}));
  EXPECT_EQ(boundaries.last("a\nab\xe2\x96"), 2U);
  EXPECT_EQ(boundaries.last("\xe2"), 0U);
  EXPECT_EQ(boundaries.last(""), 0U);
}

TEST(PieceBoundaries, know_a_character_that_stands_alone) {
  EXPECT_EQ(PieceBoundaries(model_of({"\x01", "ab"})).lone_character(), '\x01');
  EXPECT_EQ(PieceBoundaries(model_of({"\x01\x02", "a\x03"})).lone_character(), '\x04');
  std::string all;
  for (int code = 1; code < 128; ++code) all += static_cast<char>(code);
  EXPECT_EQ(PieceBoundaries(model_of({all})).lone_character(), '\0');
}

}  // namespace
}  // namespace Sward::Test
