#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "Sward_TestFiles.hpp"
#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileWriter.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

class TokenFileWriterTest : public testing::TestWithParam<std::uint32_t> {};

TEST_P(TokenFileWriterTest, round_trips_documents) {
  const TemporaryFolder folder;
  const std::uint32_t vocab_size = GetParam();
  std::mt19937 engine(5);
  std::uniform_int_distribution<std::uint32_t> token(0, vocab_size - 1);
  std::vector<std::uint32_t> all;
  std::vector<std::uint64_t> starts;
  const std::string model("\0model\xff", 7);
  TokenFileWriter writer(folder / "a.h5", vocab_size, "sentencepiece", model);
  for (const std::size_t length : {1, 40'000, 3, 100'000, 0, 32'768, 17}) {
    std::vector<std::uint32_t> document(length);
    for (std::uint32_t& entry : document) entry = token(engine);
    starts.push_back(all.size());
    all.insert(all.end(), document.begin(), document.end());
    writer.append(document);
    EXPECT_EQ(writer.token_count(), all.size());
  }
  EXPECT_EQ(writer.document_count(), starts.size());
  EXPECT_FALSE(std::filesystem::exists(folder / "a.h5"));
  writer.commit();
  EXPECT_EQ(folder.file_count(), 1U);

  const TokenFile file(folder / "a.h5");
  EXPECT_EQ(file.vocab_size(), vocab_size);
  EXPECT_EQ(file.tokenizer(), "sentencepiece");
  EXPECT_EQ(file.tokenizer_model(), model);
  EXPECT_EQ(file.read(0, file.token_count()), all);
  EXPECT_EQ(file.read(32'000, 2'000), std::vector<std::uint32_t>(all.begin() + 32'000, all.begin() + 34'000));
  EXPECT_TRUE(file.has_document_starts());
  EXPECT_EQ(file.document_starts(), starts);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, TokenFileWriterTest, testing::Values(1, 258, 65'536, 65'537, 2'000'000));

TEST(TokenFileWriter, chooses_the_width_by_the_vocabulary) {
  const TemporaryFolder folder;
  for (const auto& [vocab_size, bytes] : {std::pair(65'536U, 2U), std::pair(65'537U, 4U)}) {
    TokenFileWriter writer(folder / "a.h5", vocab_size, "none", "");
    writer.append(std::vector<std::uint32_t>{vocab_size - 1});
    writer.commit();
    const Hdf5File file = Hdf5File::open_read(folder / "a.h5");
    const H5Handle dataset(H5Dopen2(file.identifier(), "/tokens", H5P_DEFAULT), H5Dclose);
    const H5Handle type(H5Dget_type(dataset.get()), H5Tclose);
    EXPECT_EQ(H5Tget_size(type.get()), bytes);
    EXPECT_THAT(TokenFile(folder / "a.h5").read(0, 1), ElementsAre(vocab_size - 1));
  }
}

TEST(TokenFileWriter, refuses_tokens_outside_the_vocabulary_and_leaves_no_file) {
  const TemporaryFolder folder;
  {
    TokenFileWriter writer(folder / "a.h5", 258, "bytes", "");
    writer.append(std::vector<std::uint32_t>{256, 1});
    EXPECT_THROW(writer.append(std::vector<std::uint32_t>{256, 258}), std::out_of_range);
    EXPECT_EQ(writer.token_count(), 2U);
  }
  EXPECT_EQ(folder.file_count(), 0U);
}

std::vector<std::uint8_t> mask_of(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open_read(path);
  return file.exists("/loss_mask") ? file.read<std::uint8_t>("/loss_mask") : std::vector<std::uint8_t>();
}

TEST(TokenFileWriter, writes_a_mask_once_there_is_one) {
  const TemporaryFolder folder;
  std::mt19937 engine(6);
  TokenFileWriter writer(folder / "a.h5", 258, "bytes", "");
  std::vector<std::uint8_t> wanted;
  for (const std::size_t length : {100'000, 7, 40'000, 0, 70'000, 33'000}) {
    std::vector<std::uint8_t> mask(length);
    for (std::uint8_t& value : mask) value = static_cast<std::uint8_t>(engine() % 2);
    // Neither the first document nor the one of 70,000 has a mask.
    if (length >= 70'000) mask.assign(length, 1);
    wanted.insert(wanted.end(), mask.begin(), mask.end());
    writer.append(std::vector<std::uint32_t>(length, 9), length >= 70'000 ? std::vector<std::uint8_t>() : mask);
  }
  EXPECT_THROW(writer.extend(std::vector<std::uint32_t>(3), std::vector<std::uint8_t>(2)), std::invalid_argument);
  writer.commit();
  EXPECT_EQ(mask_of(folder / "a.h5"), wanted);
  EXPECT_EQ(TokenFile(folder / "a.h5").token_count(), wanted.size());
  const Hdf5File file = Hdf5File::open_read(folder / "a.h5");
  const H5Handle dataset(H5Dopen2(file.identifier(), "/loss_mask", H5P_DEFAULT), H5Dclose);
  const H5Handle type(H5Dget_type(dataset.get()), H5Tclose);
  EXPECT_EQ(H5Tget_size(type.get()), 1U);
  const H5Handle list(H5Dget_create_plist(dataset.get()), H5Pclose);
  EXPECT_EQ(H5Pget_layout(list.get()), H5D_CHUNKED);
  EXPECT_EQ(H5Pget_filter2(list.get(), 0, nullptr, nullptr, nullptr, 0, nullptr, nullptr), H5Z_FILTER_FLETCHER32);
}

TEST(TokenFileWriter, writes_no_mask_where_all_targets_count) {
  const TemporaryFolder folder;
  TokenFileWriter writer(folder / "a.h5", 258, "bytes", "");
  writer.append(std::vector<std::uint32_t>{1, 2});
  writer.commit();
  EXPECT_FALSE(Hdf5File::open_read(folder / "a.h5").exists("/loss_mask"));
}

TEST(TokenFileWriter, lacks_only_the_name_once_it_has_finished) {
  const TemporaryFolder folder;
  write_file(folder / "a.h5", "old");
  TokenFileWriter writer(folder / "a.h5", 258, "bytes", "");
  writer.append(std::vector<std::uint32_t>{1, 2});
  writer.finish();
  EXPECT_EQ(read_file(folder / "a.h5"), "old");
  writer.commit();
  EXPECT_EQ(TokenFile(folder / "a.h5").token_count(), 2U);
}

TEST(TokenFileWriter, takes_documents_back) {
  const TemporaryFolder folder;
  for (const std::uint32_t vocab_size : {1000U, 100'000U}) {
    std::mt19937 engine(8);
    TokenFileWriter writer(folder / "a.h5", vocab_size, "none", "");
    std::vector<std::uint32_t> tokens;
    std::vector<std::uint8_t> masks;
    std::vector<std::uint64_t> starts;
    for (int document = 0; document < 60; ++document) {
      const bool is_kept = engine() % 2 == 0;
      if (is_kept) starts.push_back(tokens.size());
      writer.start_document();
      // Parts within a chunk of 32,768, up to its end, and across several.
      for (auto part = 1 + engine() % 3; part > 0; --part) {
        const std::size_t length = engine() % 4 == 0 ? 32'768 : engine() % 50'000;
        const auto token = static_cast<std::uint32_t>(engine() % vocab_size);
        const auto mask = static_cast<std::uint8_t>(engine() % 2);
        writer.extend(std::vector<std::uint32_t>(length, token), std::vector<std::uint8_t>(length, mask));
        if (!is_kept) continue;
        tokens.insert(tokens.end(), length, token);
        masks.insert(masks.end(), length, mask);
      }
      if (!is_kept) writer.discard_document();
      ASSERT_EQ(writer.token_count(), tokens.size());
      ASSERT_EQ(writer.document_count(), starts.size());
    }
    writer.commit();
    const TokenFile file(folder / "a.h5");
    EXPECT_EQ(file.read(0, file.token_count()), tokens);
    EXPECT_EQ(file.document_starts(), starts);
    EXPECT_EQ(mask_of(folder / "a.h5"), masks);
  }
}

}  // namespace
}  // namespace Sward::Test
