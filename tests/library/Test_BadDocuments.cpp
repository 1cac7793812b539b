#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "Sward_BadDocuments.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

TEST(BadDocuments, are_an_error_where_none_is_allowed) {
  std::vector<std::string> lines;
  BadDocuments bad(0, [&](const std::string& line) { lines.push_back(line); });
  EXPECT_EQ(message_of<InputError>([&] { bad.add("a.txt", 7, DocumentFault::invalid_utf8, "not UTF-8"); }),
            "a.txt:7: not UTF-8 (--max-bad allows 0)");
  EXPECT_THAT(lines, ElementsAre());
}

TEST(BadDocuments, are_counted_over_all_kinds_up_to_the_limit) {
  std::vector<std::string> lines;
  BadDocuments bad(2, [&](const std::string& line) { lines.push_back(line); });
  bad.add("a", 1, DocumentFault::invalid_json, "one");
  for (std::uint64_t i = 0; i < 3; ++i) bad.add("a", 2, DocumentFault::empty, "empty");
  bad.add("b", 3, DocumentFault::overlong, "two");
  EXPECT_THAT(lines, ElementsAre("a:1: one; left out", "a:2: empty; left out", "a:2: empty; left out",
                                 "a:2: empty; left out", "b:3: two; left out"));
  EXPECT_EQ(message_of<InputError>([&] { bad.add("b", 4, DocumentFault::wrong_field, "three"); }),
            "b:4: three (bad document 3, --max-bad allows 2)");
}

TEST(BadDocuments, are_named_ten_times_of_each_kind_and_then_counted) {
  std::vector<std::string> lines;
  BadDocuments bad(100, [&](const std::string& line) { lines.push_back(line); });
  for (std::uint64_t i = 1; i <= 10; ++i) bad.add("a", i, DocumentFault::wrong_field, "field");
  for (std::uint64_t i = 1; i <= 13; ++i) bad.add("b", i, DocumentFault::empty, "empty");
  EXPECT_EQ(lines.size(), 20U);
  EXPECT_EQ(lines.back(), "b:10: empty; left out");
  lines.clear();
  bad.print_counts();
  EXPECT_THAT(lines, ElementsAre("left out in all: 13 documents empty"));
}

}  // namespace
}  // namespace Sward::Test
