#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>

#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileWriter.hpp"
#include "Sward_Tokenizer.hpp"
#include "Sward_TrainTokenizer.hpp"

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
  const auto tokenizer = make_tokenizer(train_tokenizer(folder));
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
  const std::string path = train_tokenizer(folder);
  const auto tokenizer = make_tokenizer(path);
  EXPECT_EQ(tokenizer->model(), read_file(path));
  const auto copy = make_sentencepiece_tokenizer(tokenizer->model(), "memory");
  EXPECT_EQ(copy->encode("the garden waits"), tokenizer->encode("the garden waits"));
}

TEST(SentencePieceTokenizer, names_a_model_that_is_none) {
  const TemporaryFolder folder;
  const std::string path = train_tokenizer(folder);
  EXPECT_THAT(message_of<InputError>([&] { make_tokenizer(folder / "none"); }), HasSubstr("none: cannot read"));
  EXPECT_THROW(make_tokenizer(folder.path().string()), InputError);
  write_file(folder / "half", read_file(path).substr(0, 3000));
  EXPECT_THAT(message_of<InputError>([&] { make_tokenizer(folder / "half"); }), HasSubstr("half: not a SentencePiece"));
  write_file(folder / "noise", random_bytes(3000));
  EXPECT_THROW(make_tokenizer(folder / "noise"), InputError);
  EXPECT_THROW(make_sentencepiece_tokenizer("", "nothing"), InputError);
  train_tokenizer(folder, "--bos_id=-1");
  EXPECT_THAT(message_of<InputError>([&] { make_tokenizer(path); }), HasSubstr("no begin or no end"));
}

TEST(Tokenizer, comes_out_of_a_token_file) {
  const TemporaryFolder folder;
  const auto write = [&](const std::string& name, const std::string& model) {
    TokenFileWriter writer(folder / "a.h5", 320, name, model);
    writer.append(std::vector<std::uint32_t>{1});
    writer.commit();
    return make_tokenizer(TokenFile(folder / "a.h5"));
  };
  const auto pieces = make_tokenizer(train_tokenizer(folder));
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
