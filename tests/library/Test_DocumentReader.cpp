#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "Sward_DocumentReader.hpp"
#include "Sward_MemorySource.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::size_t cut_at_space(std::string_view text) {
  const std::size_t position = text.rfind(' ');
  return position == std::string_view::npos ? 0 : position;
}

std::vector<DocumentPart> parts_of(DocumentReader& reader) {
  std::vector<DocumentPart> list;
  for (DocumentPart part; reader.next(part);) list.push_back(part);
  DocumentPart part;
  EXPECT_FALSE(reader.next(part));
  return list;
}

/// Whole documents with their lines, none of which may be overlong.
std::vector<std::pair<std::string, std::uint64_t>> join(const std::vector<DocumentPart>& parts) {
  std::vector<std::pair<std::string, std::uint64_t>> list;
  bool begins = true;
  for (const DocumentPart& part : parts) {
    EXPECT_EQ(part.begins, begins);
    EXPECT_FALSE(part.is_overlong);
    if (begins) list.emplace_back("", part.line);
    EXPECT_EQ(part.line, list.back().second);
    list.back().first += part.text;
    begins = part.ends;
  }
  EXPECT_TRUE(begins);
  return list;
}

std::vector<std::pair<std::string, std::uint64_t>> documents(const std::string& text, DocumentDivision division,
                                                             const std::string& separator = "") {
  const auto reader = make_text_reader(std::make_unique<MemorySource>(text), division, separator, cut_at_space);
  return join(parts_of(*reader));
}

TEST(DocumentReader, takes_a_file_as_it_is) {
  EXPECT_THAT(documents(" one\r\n\n two \n", DocumentDivision::none), ElementsAre(Pair(" one\r\n\n two \n", 1)));
  EXPECT_THAT(documents("", DocumentDivision::none), ElementsAre());
  EXPECT_THAT(documents(" \n\t\n", DocumentDivision::none), ElementsAre(Pair(" \n\t\n", 1)));
  const std::string zero("a\0b", 3);
  EXPECT_THAT(documents(zero, DocumentDivision::none), ElementsAre(Pair(zero, 1)));
}

TEST(DocumentReader, divides_at_blank_lines) {
  EXPECT_THAT(documents("\n\na\n b\n\n \t\r\nc\r\nd", DocumentDivision::blank_lines),
              ElementsAre(Pair("a\n b", 3), Pair("c\nd", 7)));
  EXPECT_THAT(documents("a\n\n", DocumentDivision::blank_lines), ElementsAre(Pair("a", 1)));
  EXPECT_THAT(documents("\n \n", DocumentDivision::blank_lines), ElementsAre());
}

TEST(DocumentReader, divides_at_lines) {
  EXPECT_THAT(documents("a\n\n b\r\nc", DocumentDivision::line),
              ElementsAre(Pair("a", 1), Pair(" b", 3), Pair("c", 4)));
}

TEST(DocumentReader, divides_at_a_separator) {
  EXPECT_THAT(documents("<>a\n<>b<><> <>c<", DocumentDivision::separator, "<>"),
              ElementsAre(Pair("", 1), Pair("a\n", 1), Pair("b", 2), Pair("", 2), Pair(" ", 2), Pair("c<", 2)));
  EXPECT_THAT(documents("aab", DocumentDivision::separator, "ab"), ElementsAre(Pair("a", 1)));
  // How files end is no document.
  EXPECT_THAT(documents("a<>\n", DocumentDivision::separator, "<>"), ElementsAre(Pair("a", 1)));
}

std::string words(std::size_t bytes, const std::string& between = " ") {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) text += "word" + std::to_string(i * i) + between;
  return text.substr(0, bytes);
}

TEST(DocumentReader, gives_long_documents_in_parts) {
  const std::string text = words((9U << 20) + 17);
  for (const DocumentDivision division : {DocumentDivision::none, DocumentDivision::blank_lines}) {
    const auto reader = make_text_reader(std::make_unique<MemorySource>(text, 100'000), division, "", cut_at_space);
    const std::vector<DocumentPart> parts = parts_of(*reader);
    EXPECT_GT(parts.size(), 3U);
    EXPECT_GE(parts.front().text.size(), part_size / 16);
    for (const DocumentPart& part : parts) {
      EXPECT_LT(part.text.size(), 4 * part_size);
      EXPECT_TRUE(part.begins || part.text.front() == ' ');
    }
    EXPECT_THAT(join(parts), ElementsAre(Pair(text, 1)));
  }
  // Many lines of a document, then a short one; the longest that stays whole.
  const std::string lines = words(3U << 20, " \n");
  EXPECT_EQ(documents(lines + "\n\nnext", DocumentDivision::blank_lines).size(), 2U);
  const auto reader =
      make_text_reader(std::make_unique<MemorySource>(words(part_size)), DocumentDivision::none, "", cut_at_space);
  EXPECT_EQ(parts_of(*reader).size(), 1U);
}

TEST(DocumentReader, gives_a_first_part_of_some_size) {
  // The only place within the first two MiB lies near the front.
  const std::string text = "near " + std::string(2 * part_size, 'b') + " " + words(3 * part_size);
  const auto reader = make_text_reader(std::make_unique<MemorySource>(text), DocumentDivision::none, "", cut_at_space);
  const std::vector<DocumentPart> parts = parts_of(*reader);
  EXPECT_GE(parts.front().text.size(), part_size / 16);
  EXPECT_THAT(join(parts), ElementsAre(Pair(text, 1)));
}

TEST(DocumentReader, keeps_documents_whole_without_a_way_to_cut) {
  const std::string text = words(7U << 20);
  const auto reader = make_text_reader(std::make_unique<MemorySource>(text, 100'000), DocumentDivision::none, "", {});
  const std::vector<DocumentPart> parts = parts_of(*reader);
  ASSERT_EQ(parts.size(), 1U);
  EXPECT_EQ(parts[0].text, text);
}

TEST(DocumentReader, marks_what_cannot_be_cut) {
  const std::string text = std::string(9U << 20, 'a') + "\n" + "next\n";
  const auto reader =
      make_text_reader(std::make_unique<MemorySource>(text, 100'000), DocumentDivision::line, "", cut_at_space);
  const std::vector<DocumentPart> parts = parts_of(*reader);
  ASSERT_GT(parts.size(), 2U);
  EXPECT_TRUE(parts.front().is_overlong);
  EXPECT_TRUE(parts.front().begins);
  EXPECT_TRUE(parts[parts.size() - 2].ends);
  for (const DocumentPart& part : parts) EXPECT_LT(part.text.size(), 4 * part_size);
  EXPECT_EQ(parts.back().text, "next");
  EXPECT_FALSE(parts.back().is_overlong);
  EXPECT_EQ(parts.back().line, 2U);
}

TEST(JsonLineReader, gives_lines_whole_up_to_their_limit) {
  const std::string fits(json_line_size, 'j');
  const auto reader = make_json_line_reader(std::make_unique<MemorySource>("{}\r\n\n" + fits + "\n[ ]", 100'000));
  EXPECT_THAT(join(parts_of(*reader)), ElementsAre(Pair("{}", 1), Pair(fits, 3), Pair("[ ]", 4)));
  const auto beyond =
      make_json_line_reader(std::make_unique<MemorySource>(std::string(3 * json_line_size, 'j') + "\n{}", 100'000));
  const std::vector<DocumentPart> parts = parts_of(*beyond);
  EXPECT_TRUE(parts.front().is_overlong);
  EXPECT_EQ(parts.back().text, "{}");
}

}  // namespace
}  // namespace Sward::Test
