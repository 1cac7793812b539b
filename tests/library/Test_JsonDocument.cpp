#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_JsonDocument.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

/// The fault and its reason; "none" where there is none.
template <class Read>
std::string fault_of(Read read) {
  try {
    read();
  } catch (const BadDocument& error) {
    return std::to_string(static_cast<int>(error.fault())) + ": " + error.what();
  }
  return "none";
}

std::string text_fault(const std::string& line) {
  return fault_of([&] { read_json_text(line, {}); });
}

std::string token_fault(const std::string& line) {
  return fault_of([&] { read_json_tokens(line, 100); });
}

const std::string json = std::to_string(static_cast<int>(DocumentFault::invalid_json)) + ": ";
const std::string field = std::to_string(static_cast<int>(DocumentFault::wrong_field)) + ": ";
const std::string range = std::to_string(static_cast<int>(DocumentFault::token_out_of_range)) + ": ";

TEST(JsonDocument, has_text_or_a_prompt_with_its_response) {
  const JsonText text = read_json_text(R"({"id": 3, "text": "a\n\u00e9\u0000b"})", {});
  EXPECT_FALSE(text.has_prompt);
  EXPECT_EQ(text.text, std::string("a\n\xc3\xa9\0b", 6));
  const JsonText pair = read_json_text(R"({"response": "yes", "prompt": "is it?"})", {});
  EXPECT_TRUE(pair.has_prompt);
  EXPECT_EQ(pair.prompt, "is it?");
  EXPECT_EQ(pair.text, "yes");
  const JsonFields fields{"t", "p", "r"};
  EXPECT_EQ(read_json_text(R"({"t": "x", "prompt": "no", "text": 5})", fields).text, "x");
  EXPECT_EQ(read_json_text(R"({"p": "x", "r": "y"})", fields).prompt, "x");
}

TEST(JsonDocument, says_what_is_wrong_with_a_line_of_text) {
  EXPECT_EQ(text_fault(R"({"text": "a")"), json + "not JSON at byte 13 of the line");
  EXPECT_THAT(text_fault("{\"text\": \"\xff\"}"), testing::StartsWith(json + "not JSON at byte 1"));
  EXPECT_EQ(text_fault(R"({"text": "a", "x": 1e999})"), json + "has a number that no double holds");
  EXPECT_THAT(text_fault(R"({"text": "\ud800"})"), testing::StartsWith(json));
  EXPECT_THAT(text_fault(R"({"text": "a"} {})"), testing::StartsWith(json));
  EXPECT_EQ(text_fault("[1]"), field + "this line is no JSON object");
  EXPECT_EQ(text_fault("{}"), field + "field 'text' is missing, and 'prompt' with 'response' too");
  EXPECT_EQ(text_fault(R"({"text": 5})"), field + "field 'text' is no text");
  EXPECT_EQ(text_fault(R"({"text": null})"), field + "field 'text' is no text");
  EXPECT_EQ(text_fault(R"({"prompt": "a"})"), field + "field 'response' is missing");
  EXPECT_EQ(text_fault(R"({"response": "a"})"), field + "field 'prompt' is missing");
  EXPECT_EQ(text_fault(R"({"prompt": ["a"], "response": "a"})"), field + "field 'prompt' is no text");
  EXPECT_EQ(text_fault(R"({"prompt": "a", "text": "a"})"), field + "field 'text' stands beside 'prompt' or 'response'");
}

TEST(JsonDocument, has_tokens_and_perhaps_a_mask) {
  const JsonTokens plain = read_json_tokens(R"({"input_ids": [0, 99, 5], "text": 7})", 100);
  EXPECT_THAT(plain.tokens, ElementsAre(0, 99, 5));
  EXPECT_TRUE(plain.mask.empty());
  const JsonTokens masked = read_json_tokens(R"({"input_ids": [1, 2, 3, 4], "loss_mask": [0, 1, false, true]})", 100);
  EXPECT_THAT(masked.mask, ElementsAre(0, 1, 0, 1));
  EXPECT_THAT(read_json_tokens(R"({"input_ids": [4294967294]})", 4294967295U).tokens, ElementsAre(4294967294U));
}

TEST(JsonDocument, says_what_is_wrong_with_a_line_of_tokens) {
  EXPECT_EQ(token_fault("{}"), field + "field 'input_ids' is missing");
  EXPECT_EQ(token_fault(R"({"input_ids": 5})"), field + "field 'input_ids' is no array");
  EXPECT_EQ(token_fault(R"({"input_ids": [1, 2.0]})"), field + "field 'input_ids' has no integer at index 1");
  EXPECT_EQ(token_fault(R"({"input_ids": [1, "2"]})"), field + "field 'input_ids' has no integer at index 1");
  EXPECT_EQ(token_fault(R"({"input_ids": [1, 100]})"),
            range + "token 100 at index 1 is not below the vocabulary size 100");
  EXPECT_THAT(token_fault(R"({"input_ids": [-1]})"), testing::StartsWith(range + "token -1 at index 0"));
  EXPECT_THAT(token_fault(R"({"input_ids": [4294967296]})"), testing::StartsWith(range + "token 4294967296"));
  EXPECT_EQ(token_fault(R"({"input_ids": [1], "loss_mask": 1})"), field + "field 'loss_mask' is no array");
  EXPECT_EQ(token_fault(R"({"input_ids": [1], "loss_mask": []})"),
            field + "field 'loss_mask' has 0 values beside 1 tokens");
  EXPECT_EQ(token_fault(R"({"input_ids": [1], "loss_mask": [2]})"),
            field + "field 'loss_mask' is neither 0 nor 1 at index 0");
  EXPECT_THAT(token_fault("[1, 2"), testing::StartsWith(json));
}

}  // namespace
}  // namespace Sward::Test
