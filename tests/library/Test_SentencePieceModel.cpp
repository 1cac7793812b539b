#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include "Sward_InputError.hpp"
#include "Sward_SentencePieceModel.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TrainSentencePiece.hpp"

namespace Sward::Test {
namespace {

SentencePieceModel train(const std::string& options) {
  const TemporaryFolder folder;
  return read_sentencepiece_model(read_file(train_sentencepiece(folder, options)), "a.model");
}

TEST(SentencePieceModel, has_the_pieces_that_sentencepiece_knows) {
  const TemporaryFolder folder;
  const std::string path = train_sentencepiece(folder, "--user_defined_symbols=<a>,b-c");
  sentencepiece::SentencePieceProcessor processor;
  ASSERT_TRUE(processor.Load(path).ok());
  std::vector<std::string> wanted;
  for (int i = 0; i < processor.GetPieceSize(); ++i) {
    if (!processor.IsControl(i) && !processor.IsUnknown(i) && !processor.IsByte(i)) {
      wanted.push_back(processor.IdToPiece(i));
    }
  }
  EXPECT_EQ(read_sentencepiece_model(read_file(path), "a.model").pieces, wanted);
  EXPECT_THAT(wanted, testing::Contains("<a>"));
  EXPECT_THAT(wanted, testing::Contains("b-c"));
}

TEST(SentencePieceModel, has_the_settings_that_it_was_trained_with) {
  const SentencePieceModel usual = train("");
  EXPECT_TRUE(usual.is_bpe && usual.byte_fallback && usual.add_dummy_prefix && usual.escape_whitespaces);
  EXPECT_FALSE(usual.whitespace_as_suffix || usual.has_character_map || usual.remove_extra_whitespaces ||
               usual.has_unused_pieces);
  EXPECT_FALSE(train("--model_type=unigram --vocab_size=300 --hard_vocab_limit=false").is_bpe);
  EXPECT_FALSE(train("--byte_fallback=false --vocab_size=100").byte_fallback);
  EXPECT_FALSE(train("--add_dummy_prefix=false").add_dummy_prefix);
  EXPECT_TRUE(train("--treat_whitespace_as_suffix=true").whitespace_as_suffix);
  EXPECT_TRUE(train("--normalization_rule_name=nmt_nfkc").has_character_map);
  EXPECT_TRUE(train("--remove_extra_whitespaces=true").remove_extra_whitespaces);
}

TEST(SentencePieceModel, refuses_bytes_that_are_no_message) {
  const TemporaryFolder folder;
  const std::string model = read_file(train_sentencepiece(folder, ""));
  for (const std::string& bytes :
       {model.substr(0, model.size() - 1), std::string("\x0a\x7f"), std::string("\x07"), std::string(11, '\xff')}) {
    EXPECT_EQ(message_of<InputError>([&] { read_sentencepiece_model(bytes, "a.model"); }),
              "a.model: not a SentencePiece model");
  }
}

}  // namespace
}  // namespace Sward::Test
