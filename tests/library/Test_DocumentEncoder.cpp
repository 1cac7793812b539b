#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "Sward_DocumentEncoder.hpp"
#include "Sward_HashDocument.hpp"
#include "Sward_TrainSentencePiece.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

DocumentPart whole(const std::string& text) { return {text, 3, true, true, false}; }

TEST(DocumentEncoder, puts_the_begin_token_before_a_text) {
  const auto tokenizer = make_byte_tokenizer();
  DocumentEncoder encoder(tokenizer.get(), 258, {});
  const EncodedPart text = encoder.encode(whole("ab\xff"), DocumentForm::text);
  EXPECT_THAT(text.tokens, ElementsAre(256, 97, 98, 255));
  EXPECT_TRUE(text.mask.empty() && text.begins && text.ends && !text.is_blank && !text.fault);
  EXPECT_EQ(text.bytes, 3U);
  EXPECT_EQ(text.line, 3U);
  EXPECT_EQ(text.hash, hash_document("ab\xff"));
  EXPECT_THAT(encoder.encode({"cd", 3, false, true, false}, DocumentForm::text).tokens, ElementsAre(99, 100));
  EXPECT_THAT(encoder.encode(whole(R"({"text": "a"})"), DocumentForm::json_text).tokens, ElementsAre(256, 97));
  EXPECT_TRUE(encoder.encode(whole(" \n"), DocumentForm::text).is_blank);
  EXPECT_TRUE(encoder.encode(whole(R"({"text": ""})"), DocumentForm::json_text).is_blank);
}

TEST(DocumentEncoder, hashes_the_front_of_a_document_alone) {
  const auto tokenizer = make_byte_tokenizer();
  DocumentEncoder encoder(tokenizer.get(), 258, {});
  const std::string front(64 << 10, 'a');
  EXPECT_EQ(encoder.encode(whole(front + "b"), DocumentForm::text).hash, hash_document(front));
  EXPECT_EQ(encoder.encode({front + "c", 1, true, false, false}, DocumentForm::text).hash, hash_document(front));
  EXPECT_EQ(encoder.encode(whole(R"({"prompt": "a", "response": "b"})"), DocumentForm::json_text).hash,
            hash_document("ab"));
  // Tokens: their four bytes, the lowest first.
  EXPECT_EQ(DocumentEncoder(nullptr, 70'000, {})
                .encode(whole(R"({"input_ids": [1, 65536]})"), DocumentForm::json_tokens)
                .hash,
            hash_document(std::string_view("\1\0\0\0\0\0\1\0", 8)));
}

TEST(DocumentEncoder, counts_response_and_end_alone) {
  const auto tokenizer = make_byte_tokenizer();
  DocumentEncoder encoder(tokenizer.get(), 258, {});
  const EncodedPart pair = encoder.encode(whole(R"({"prompt": "ab", "response": "c"})"), DocumentForm::json_text);
  EXPECT_THAT(pair.tokens, ElementsAre(256, 97, 98, 99, 257));
  EXPECT_THAT(pair.mask, ElementsAre(0, 0, 0, 1, 1));
  EXPECT_EQ(pair.bytes, 3U);
  EXPECT_TRUE(encoder.encode(whole(R"({"prompt": "ab", "response": " "})"), DocumentForm::json_text).is_blank);
  const EncodedPart alone = encoder.encode(whole(R"({"prompt": "", "response": "c"})"), DocumentForm::json_text);
  EXPECT_THAT(alone.mask, ElementsAre(0, 1, 1));
}

TEST(DocumentEncoder, goes_on_from_the_prompt_to_the_response) {
  const TemporaryFolder folder;
  const auto tokenizer = make_tokenizer(train_sentencepiece(folder));
  DocumentEncoder encoder(tokenizer.get(), tokenizer->vocab_size(), {});
  const EncodedPart pair = encoder.encode(
      whole(R"({"prompt": "the river never ", "response": "sleeps while the garden"})"), DocumentForm::json_text);
  ASSERT_FALSE(pair.fault);
  // The prompt's tokens are those that a prompt gets on its own, and no space comes between it and the response.
  std::vector<std::uint32_t> front = tokenizer->encode("the river never ");
  front.insert(front.begin(), tokenizer->begin_token());
  ASSERT_GT(pair.tokens.size(), front.size());
  EXPECT_EQ(std::vector<std::uint32_t>(pair.tokens.begin(), pair.tokens.begin() + static_cast<long>(front.size())),
            front);
  EXPECT_EQ(tokenizer->decode(pair.tokens), "the river never sleeps while the garden");
  for (std::size_t i = 0; i < pair.mask.size(); ++i) EXPECT_EQ(pair.mask[i], i < front.size() ? 0 : 1);
  EXPECT_EQ(pair.tokens.back(), tokenizer->end_token());
}

TEST(DocumentEncoder, takes_tokens_as_they_are) {
  DocumentEncoder encoder(nullptr, 100, {});
  const EncodedPart part =
      encoder.encode(whole(R"({"input_ids": [7, 8], "loss_mask": [0, 1]})"), DocumentForm::json_tokens);
  EXPECT_THAT(part.tokens, ElementsAre(7, 8));
  EXPECT_THAT(part.mask, ElementsAre(0, 1));
  EXPECT_TRUE(encoder.encode(whole(R"({"input_ids": []})"), DocumentForm::json_tokens).is_blank);
}

TEST(DocumentEncoder, says_what_is_wrong) {
  const TemporaryFolder folder;
  const auto tokenizer = make_tokenizer(train_sentencepiece(folder));
  DocumentEncoder encoder(tokenizer.get(), tokenizer->vocab_size(), {});
  const auto fault = [&](const DocumentPart& part, DocumentForm form) {
    return encoder.encode(part, form).fault.value().fault();
  };
  EXPECT_EQ(fault(whole("the\xff"), DocumentForm::text), DocumentFault::invalid_utf8);
  EXPECT_EQ(fault({"a", 1, true, false, true}, DocumentForm::text), DocumentFault::overlong);
  EXPECT_EQ(fault({"{", 1, true, false, true}, DocumentForm::json_text), DocumentFault::overlong);
  EXPECT_EQ(fault(whole("{"), DocumentForm::json_text), DocumentFault::invalid_json);
  EXPECT_EQ(fault(whole("{}"), DocumentForm::json_text), DocumentFault::wrong_field);
  EXPECT_EQ(fault(whole(R"({"input_ids": [320]})"), DocumentForm::json_tokens), DocumentFault::token_out_of_range);
  EXPECT_FALSE(encoder.encode(whole("the"), DocumentForm::text).fault);
}

}  // namespace
}  // namespace Sward::Test
