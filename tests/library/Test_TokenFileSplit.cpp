#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFile.hpp"
#include "Sward_TokenFileSplit.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

EncodedPart part_of(std::vector<std::uint32_t> tokens, std::uint64_t hash, bool begins = true, bool ends = true) {
  EncodedPart part;
  part.bytes = tokens.size();
  part.tokens = std::move(tokens);
  part.hash = hash;
  part.begins = begins;
  part.ends = ends;
  return part;
}

struct Files {
  explicit Files(std::uint64_t allowed)
      : training(folder / "train.h5", 1000, "none", ""),
        evaluation(folder / "evaluation.h5", 1000, "none", ""),
        bad(allowed, [this](const std::string& line) { lines.push_back(line); }) {}

  std::vector<std::uint32_t> tokens(TokenFileWriter& writer, const std::string& name) const {
    writer.commit();
    const TokenFile file(folder / name);
    return file.read(0, file.token_count());
  }

  TemporaryFolder folder;
  std::vector<std::string> lines;
  TokenFileWriter training;
  TokenFileWriter evaluation;
  BadDocuments bad;
};

TEST(TokenFileSplit, divides_by_the_hash) {
  Files files(0);
  TokenFileSplit split(files.training, &files.evaluation, 0.25, files.bad);
  const std::uint64_t quarter = std::uint64_t{1} << 62;
  std::vector<std::uint32_t> training;
  std::vector<std::uint32_t> evaluation;
  std::mt19937_64 engine(29);
  for (std::uint32_t i = 0; i < 900; ++i) {
    const std::uint64_t hash = engine();
    split.take(part_of({i}, hash), "a");
    (hash < quarter ? evaluation : training).push_back(i);
  }
  EXPECT_EQ(split.totals().documents, 900U);
  EXPECT_EQ(split.totals().tokens, 900U);
  EXPECT_EQ(files.tokens(files.training, "train.h5"), training);
  EXPECT_EQ(files.tokens(files.evaluation, "evaluation.h5"), evaluation);
}

TEST(TokenFileSplit, leaves_out_a_document_with_a_bad_part_whole) {
  Files files(5);
  TokenFileSplit split(files.training, nullptr, 0.5, files.bad);
  split.take(part_of({1}, 0), "a");
  split.take(part_of({2}, 0, true, false), "a");
  EncodedPart bad = part_of({3}, 0, false, false);
  bad.line = 8;
  bad.fault = BadDocument(DocumentFault::invalid_utf8, "no");
  split.take(bad, "a");
  split.take(bad, "a");
  split.take(part_of({4}, 0, false, true), "a");
  split.take(part_of({5, 6}, 0, true, false), "a");
  split.take(part_of({7}, 0, false, true), "a");
  EXPECT_THAT(files.lines, ElementsAre("a:8: no; left out"));
  EXPECT_EQ(split.totals().documents, 2U);
  EXPECT_EQ(split.totals().tokens, 4U);
  EXPECT_EQ(split.totals().bytes, 4U);
  EXPECT_THAT(files.tokens(files.training, "train.h5"), ElementsAre(1, 5, 6, 7));
}

TEST(TokenFileSplit, leaves_out_blank_documents_and_no_others) {
  Files files(0);
  TokenFileSplit split(files.training, nullptr, 0.5, files.bad);
  EncodedPart blank = part_of({1}, 0);
  blank.is_blank = true;
  split.take(blank, "a");
  blank.ends = false;
  split.take(blank, "a");
  split.take(part_of({2}, 0, false, true), "a");
  EXPECT_EQ(files.lines.size(), 1U);
  EXPECT_THAT(files.tokens(files.training, "train.h5"), ElementsAre(1, 2));
}

TEST(TokenFileSplit, stops_at_too_many_bad_documents) {
  Files files(0);
  TokenFileSplit split(files.training, nullptr, 0.5, files.bad);
  EncodedPart bad = part_of({}, 0);
  bad.fault = BadDocument(DocumentFault::overlong, "long");
  EXPECT_THAT(message_of<InputError>([&] { split.take(bad, "b"); }), testing::HasSubstr("b:0: long"));
}

}  // namespace
}  // namespace Sward::Test
