#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "Sward_DocumentReader.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

std::vector<std::string> documents(const std::string& text, DocumentDivision division,
                                   const std::string& separator = "") {
  const TemporaryFolder folder;
  write_file(folder / "text", text);
  const auto reader = make_text_reader(folder / "text", division, separator);
  std::vector<std::string> list;
  for (std::string document; reader->next(document);) list.push_back(document);
  std::string document;
  EXPECT_FALSE(reader->next(document));
  return list;
}

TEST(DocumentReader, takes_a_file_as_it_is) {
  EXPECT_THAT(documents(" one\r\n\n two \n", DocumentDivision::none), ElementsAre(" one\r\n\n two \n"));
  EXPECT_THAT(documents("", DocumentDivision::none), ElementsAre());
  EXPECT_THAT(documents(" \n\t\n", DocumentDivision::none), ElementsAre());
  const std::string zero("a\0b", 3);
  EXPECT_THAT(documents(zero, DocumentDivision::none), ElementsAre(zero));
}

TEST(DocumentReader, divides_at_blank_lines) {
  EXPECT_THAT(documents("\n\na\n b\n\n \t\r\nc\r\nd", DocumentDivision::blank_lines), ElementsAre("a\n b", "c\nd"));
  EXPECT_THAT(documents("\n \n", DocumentDivision::blank_lines), ElementsAre());
}

TEST(DocumentReader, divides_at_lines) {
  EXPECT_THAT(documents("a\n\n b\r\nc", DocumentDivision::line), ElementsAre("a", " b", "c"));
}

TEST(DocumentReader, divides_at_a_separator) {
  EXPECT_THAT(documents("<>a\n<>b<><> <>c<", DocumentDivision::separator, "<>"), ElementsAre("a\n", "b", "c<"));
  EXPECT_THAT(documents("aab", DocumentDivision::separator, "ab"), ElementsAre("a"));
}

TEST(DocumentReader, finds_separators_across_blocks) {
  // A block is 1 MiB: separators before, across and after its end, and a document longer than several blocks.
  const std::string separator = "<|end|>";
  for (std::size_t length = (1 << 20) - 9; length < (1 << 20) + 3; ++length) {
    const std::vector<std::string> wanted = {std::string(length, 'a'), "b", std::string(5 << 20, 'c')};
    EXPECT_EQ(
        documents(wanted[0] + separator + wanted[1] + separator + wanted[2], DocumentDivision::separator, separator),
        wanted);
  }
}

TEST(DocumentReader, names_a_file_that_cannot_be_opened) {
  const TemporaryFolder folder;
  for (const std::filesystem::path& path : {folder / "none", folder.path()}) {
    EXPECT_THAT(message_of<InputError>([&] { make_text_reader(path, DocumentDivision::none, ""); }),
                testing::HasSubstr(path.string()));
  }
}

}  // namespace
}  // namespace Sward::Test
