#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>

#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileWriter.hpp"
#include "Sward_Tokenizer.hpp"
#include "Sward_TrainSentencePiece.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string random_bytes(std::size_t count) {
  std::mt19937 engine(3);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(engine());
  return bytes;
}

TEST(ByteTokenizer, maps_bytes_to_themselves) {
  const auto tokenizer = make_byte_tokenizer();
  EXPECT_THAT(tokenizer->encode("a\xff"), ElementsAre(97, 255));
  EXPECT_EQ(tokenizer->vocab_size(), 258U);
  EXPECT_EQ(tokenizer->begin_token(), 256U);
  EXPECT_EQ(tokenizer->end_token(), 257U);
  EXPECT_EQ(tokenizer->name(), "bytes");
  EXPECT_EQ(tokenizer->model(), "");
  const std::string bytes = random_bytes(10'000);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), bytes);
  EXPECT_EQ(tokenizer->decode(std::vector<std::uint32_t>{256, 104, 105, 257}), "hi");
  EXPECT_THROW(tokenizer->decode(std::vector<std::uint32_t>{258}), std::out_of_range);
}

TEST(SentencePieceTokenizer, round_trips_text) {
  const TemporaryFolder folder;
  const auto tokenizer = make_tokenizer(train_sentencepiece(folder));
  EXPECT_EQ(tokenizer->name(), "sentencepiece");
  EXPECT_EQ(tokenizer->vocab_size(), 320U);
  EXPECT_EQ(tokenizer->begin_token(), 1U);
  EXPECT_EQ(tokenizer->end_token(), 2U);
  for (const std::string text : {"the river sleeps.", "Grüße,\n\n  \t日本 \xf0\x9f\x8c\xb1", "<s> is text", ""}) {
    std::vector<std::uint32_t> tokens = tokenizer->encode(text);
    EXPECT_EQ(tokenizer->decode(tokens), text);
    // Neither a begin of its own nor one out of the text.
    EXPECT_THAT(tokens, testing::Not(testing::Contains(tokenizer->begin_token())));
    tokens.insert(tokens.begin(), tokenizer->begin_token());
    EXPECT_EQ(tokenizer->decode(tokens), text);
  }
  EXPECT_LT(tokenizer->encode("the meadow grows while").size(), 12U);
  EXPECT_THROW(tokenizer->decode(std::vector<std::uint32_t>{320}), std::out_of_range);
}

TEST(SentencePieceTokenizer, is_the_same_from_its_own_model) {
  const TemporaryFolder folder;
  const std::string path = train_sentencepiece(folder);
  const auto tokenizer = make_tokenizer(path);
  EXPECT_EQ(tokenizer->model(), read_file(path));
  const auto copy = make_sentencepiece_tokenizer(tokenizer->model(), "memory");
  EXPECT_EQ(copy->encode("the garden waits"), tokenizer->encode("the garden waits"));
}

TEST(SentencePieceTokenizer, names_a_model_that_is_none) {
  const TemporaryFolder folder;
  const std::string path = train_sentencepiece(folder);
  EXPECT_THAT(message_of<InputError>([&] { make_tokenizer(folder / "none"); }), HasSubstr("none: cannot read"));
  EXPECT_THROW(make_tokenizer(folder.path().string()), InputError);
  write_file(folder / "half", read_file(path).substr(0, 3000));
  EXPECT_THAT(message_of<InputError>([&] { make_tokenizer(folder / "half"); }), HasSubstr("half: not a SentencePiece"));
  write_file(folder / "noise", random_bytes(3000));
  EXPECT_THROW(make_tokenizer(folder / "noise"), InputError);
  EXPECT_THROW(make_sentencepiece_tokenizer("", "nothing"), InputError);
  train_sentencepiece(folder, "--bos_id=-1");
  EXPECT_THAT(message_of<InputError>([&] { make_tokenizer(path); }), HasSubstr("no begin or no end"));
}

/// Text out of words, runs of spaces, line ends, literal space marks, digits, signs, and characters without a piece.
std::string random_text(std::size_t stretches, std::mt19937& engine) {
  static const std::vector<std::string> choices = {"the",    "meadow",
                                                   "river",  "sward",
                                                   "sleeps", "never",
                                                   "ow",     "ths",
                                                   " ",      " ",
                                                   " ",      "  ",
                                                   "     ",  "\n",
                                                   "\n\n",   "\t",
                                                   ".",      "();",
                                                   "42",     "\xc3\xa9",
                                                   "<a>",    "b-c",
                                                   "b",      "\xe2\x96\x81",
                                                   "\x01",   "\xe6\x97\xa5\xe6\x9c\xac",
                                                   "<s>",    "A",
                                                   "e",      "\xf0\x9f\x8c\xb1",
                                                   "\r\n",   std::string(1, '\0')};
  std::string text;
  for (std::size_t i = 0; i < stretches; ++i) text += choices[engine() % choices.size()];
  return text;
}

/// Encodes in parts of about this size, cut where the tokenizer says.
std::vector<std::uint32_t> encode_in_parts(const Tokenizer& tokenizer, TextEncoder& encoder, std::string_view text,
                                           std::size_t size) {
  std::vector<std::uint32_t> tokens;
  bool begins = true;
  std::size_t wanted = size;
  while (!text.empty()) {
    const std::size_t cut = wanted >= text.size() ? text.size() : tokenizer.last_cut(text.substr(0, wanted));
    wanted = cut == 0 ? wanted + size : size;
    if (cut == 0) continue;
    encoder.append(text.substr(0, cut), begins, tokens);
    text.remove_prefix(cut);
    begins = false;
  }
  return tokens;
}

class EncoderTest : public testing::TestWithParam<std::string> {};

TEST_P(EncoderTest, gives_the_tokens_of_the_whole_text_for_its_parts) {
  const TemporaryFolder folder;
  const auto tokenizer = make_tokenizer(train_sentencepiece(folder, GetParam()));
  ASSERT_TRUE(tokenizer->can_cut());
  EXPECT_TRUE(tokenizer->needs_utf8());
  std::mt19937 engine(17);
  const auto encoder = tokenizer->make_encoder();
  std::size_t cuts = 0;
  for (std::size_t stretches = 0; stretches < 400; ++stretches) {
    const std::string text = random_text(stretches, engine);
    const std::vector<std::uint32_t> wanted = tokenizer->encode(text);
    for (const std::size_t size : {std::size_t{1}, std::size_t{1} + engine() % 50, text.size()}) {
      ASSERT_EQ(encode_in_parts(*tokenizer, *encoder, text, size), wanted) << text;
    }
    cuts += tokenizer->last_cut(text) > 0 ? 1 : 0;
  }
  EXPECT_GT(cuts, 300U);
}

INSTANTIATE_TEST_SUITE_P(Models, EncoderTest,
                         testing::Values("", "--add_dummy_prefix=false", "--split_by_whitespace=false --vocab_size=360",
                                         "--user_defined_symbols=<a>,b-c,\xe2\x96\x81\xe2\x96\x81",
                                         "--split_digits=true",
                                         "--allow_whitespace_only_pieces=true --vocab_size=330"));

TEST(SentencePieceTokenizer, encodes_whole_texts_where_parts_could_differ) {
  for (const std::string options :
       {"--model_type=unigram --vocab_size=300 --hard_vocab_limit=false", "--byte_fallback=false --vocab_size=100",
        "--normalization_rule_name=nmt_nfkc", "--remove_extra_whitespaces=true", "--treat_whitespace_as_suffix=true"}) {
    const TemporaryFolder folder;
    const auto tokenizer = make_tokenizer(train_sentencepiece(folder, options));
    EXPECT_FALSE(tokenizer->can_cut()) << options;
    EXPECT_EQ(tokenizer->last_cut("the river sleeps"), 0U);
    std::mt19937 engine(18);
    const std::string text = random_text(200, engine);
    std::vector<std::uint32_t> tokens;
    tokenizer->make_encoder()->append(text, true, tokens);
    EXPECT_EQ(tokens, tokenizer->encode(text)) << options;
  }
}

TEST(ByteTokenizer, encodes_in_parts) {
  const auto tokenizer = make_byte_tokenizer();
  const std::string bytes = random_bytes(10'000);
  EXPECT_FALSE(tokenizer->needs_utf8());
  EXPECT_TRUE(tokenizer->can_cut());
  EXPECT_EQ(encode_in_parts(*tokenizer, *tokenizer->make_encoder(), bytes, 999), tokenizer->encode(bytes));
}

TEST(Tokenizer, comes_out_of_a_token_file) {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& model) {
    TokenFileWriter writer(folder / "a.h5", 320, name, model);
    writer.append(std::vector<std::uint32_t>{1});
    writer.commit();
    return make_tokenizer(TokenFile(folder / "a.h5"));
  };
  const auto pieces = make_tokenizer(train_sentencepiece(folder));
  EXPECT_EQ(write("sentencepiece", pieces->model())->encode("the sward"), pieces->encode("the sward"));
  EXPECT_EQ(write("bytes", "")->vocab_size(), 258U);
  EXPECT_EQ(write("none", ""), nullptr);
  EXPECT_EQ(write("sentencepiece", ""), nullptr);
  EXPECT_EQ(write("another program's", ""), nullptr);
  EXPECT_THAT(message_of<InputError>([&] { write("sentencepiece", "broken"); }),
              HasSubstr("a.h5: /tokenizer_model: not a SentencePiece model"));
}

}  // namespace
}  // namespace Sward::Test
