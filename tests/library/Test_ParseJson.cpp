#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "Sward_ParseJson.hpp"

namespace Sward::Test {
namespace {

std::string nested(int levels, const std::string& open, const std::string& close) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += open;
  text += "1";
  for (int i = 0; i < levels; ++i) text += close;
  return text;
}

TEST(ParseJson, reads_text_and_streams) {
  const std::string text = R"({"a": [1, 2.5, null, true, {"b": "ü"}], "c": {}})";
  const nlohmann::json wanted = {{"a", {1, 2.5, nullptr, true, {{"b", "ü"}}}}, {"c", nlohmann::json::object()}};
  EXPECT_EQ(parse_json(text), wanted);
  std::istringstream stream(text);
  EXPECT_EQ(parse_json(stream), wanted);
}

TEST(ParseJson, discards_what_is_not_json) {
  for (const char* text : {"", "{", "[1,]", "{} {}", "\"\xff\"", "nul"}) EXPECT_TRUE(parse_json(text).is_discarded());
}

TEST(ParseJson, discards_what_would_overflow_the_stack) {
  for (const auto& [open, close] : {std::pair("[", "]"), std::pair("{\"a\":", "}")}) {
    EXPECT_EQ(parse_json(nested(64, open, close)).dump(), nested(64, open, close));
    for (const int levels : {65, 66, 1'000'000})
      EXPECT_TRUE(parse_json(nested(levels, open, close)).is_discarded()) << levels;
  }
  EXPECT_TRUE(parse_json("{\"a\": " + nested(100, "[", "]") + ", \"b\": 1}").is_discarded());
}

}  // namespace
}  // namespace Sward::Test
