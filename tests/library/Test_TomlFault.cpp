#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_TomlFault.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

std::string fault_of(const std::string& text) {
  const auto fault = find_toml_fault(text);
  return fault ? std::to_string(fault->line) + ": " + fault->what : "none";
}

TEST(TomlFault, takes_any_character_inside_strings_and_comments) {
  for (const char* text :
       {"", "a = 1\r\n\t[b] # größe", "a = \"größe\"", "a = 'größe'", "'größe' = 1", "\"größe\".'ß' = 1",
        R"(a = "\"ö\\")", R"(a = 'ö\')", "a = \"\"\"ö\n\"ö\" \\\"\"\"ö\"\"\"\nb = 1", "a = '''ö\n''ö'''\nb = 1",
        "a = \"\"\"ö\"\"\"\"\" # ö", "a = '''ö''''", "a = \"\"\nb = 'ö'",
        "\xEF\xBB\xBF"
        "a = 1",
        "a = 'open ö\nb = 1", "a = \"\"\"open ö\nb ö"})
    EXPECT_EQ(fault_of(text), "none") << text;
}

TEST(TomlFault, names_the_line_of_a_character_outside_them) {
  for (const char* text : {"a = 1\nö = 1", "a = 'x'\nb = ö", "a = \"\\\\\"\nö", R"(# "
ö = 1)",
                           "a = '''x'''\nö", "a = '''\n'''ö", "a = 'open\nö", "a = \"\"\n\"\" ö", "a = '''\n'''' ö",
                           "a = \"\"\"\n\"\"\"\"\" ö"})
    EXPECT_THAT(fault_of(text), HasSubstr("2: a character other than plain ASCII")) << text;
  EXPECT_THAT(fault_of(std::string("[\0a]", 4)), HasSubstr("1: a character"));
  EXPECT_THAT(fault_of("a = 1 \x7f"), HasSubstr("1: a character"));
  EXPECT_THAT(fault_of("\xEF\xBB\xBF\xEF\xBB\xBF"), HasSubstr("1: a character"));
}

TEST(TomlFault, names_a_quote_inside_a_number) {
  for (const char* text : {"a = 0'ö'", "a = +1.\"ö\"", "a = 0='ö'", "a=[1,2['ö']", "a={b=-'ö'}", "0.'ö' = 1"})
    EXPECT_EQ(fault_of(text), "1: a quote stands inside a number") << text;
  for (const char* text : {"a = 0 'ö'", "a = 0#'ö'", "a=[1,'ö']", "a={b=1}'ö'", "a0='ö'", "a1.'ö'=1", "a=[1]\n'ö'=1"})
    EXPECT_EQ(fault_of(text), "none") << text;
}

TEST(TomlFault, counts_dots_outside_strings_and_comments) {
  const std::string dots(10'000, '.');
  EXPECT_EQ(fault_of("a" + dots + "a = '.' # ."), "none");
  EXPECT_THAT(fault_of("\na" + dots + "\n."), HasSubstr("3: the text has more than 10000 dots"));
  EXPECT_EQ(fault_of("a = '" + dots + dots + "' # " + dots + dots), "none");
}

}  // namespace
}  // namespace Sward::Test
