#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "Sward_TokenFile.hpp"
#include "Sward_Tokenizer.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string tokenize(const std::string& inputs, const std::filesystem::path& output, const std::string& rest = "") {
  return program("sward-tokenize") + " " + inputs + " --tokenizer bytes --output " + output.string() + " " + rest;
}

void expect_written(const std::string& command) {
  const CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
}

/// The documents of a token file, as text again.
std::vector<std::string> documents_of(const std::filesystem::path& path) {
  const TokenFile file(path);
  const auto tokenizer = make_byte_tokenizer();
  std::vector<std::uint64_t> starts = file.document_starts();
  starts.push_back(file.token_count());
  std::vector<std::string> documents;
  for (std::size_t i = 0; i + 1 < starts.size(); ++i) {
    const std::vector<std::uint32_t> tokens = file.read(starts[i], starts[i + 1] - starts[i]);
    EXPECT_EQ(tokens.front(), tokenizer->begin_token());
    EXPECT_EQ(std::count(tokens.begin(), tokens.end(), tokenizer->begin_token()), 1);
    documents.push_back(tokenizer->decode(tokens));
  }
  return documents;
}

/// 500 different lines.
std::string many_lines() {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "document number " + std::to_string(i) + "\n";
  return text;
}

TEST(SwardTokenize, KeepsEveryByteOfATextAndItsOrder) {
  const TemporaryFolder folder;
  std::string bytes = "text with \xc3\xa9, a zero ";
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  write_file(folder / "b.txt", bytes);
  write_file(folder / "a.txt", "second\n\nof two");
  expect_written(tokenize((folder / "b.txt").string() + " " + (folder / "a.txt").string(), folder / "tokens.h5"));
  const TokenFile file(folder / "tokens.h5");
  EXPECT_EQ(file.vocab_size(), 258U);
  EXPECT_EQ(file.tokenizer(), "bytes");
  EXPECT_THAT(documents_of(folder / "tokens.h5"), ElementsAre(bytes, "second\n\nof two"));
}

TEST(SwardTokenize, DividesTextsIntoDocumentsAsAsked) {
  const TemporaryFolder folder;
  write_file(folder / "a.txt", "one\ntwo\n\n \nthree<end>four");
  const std::string input = (folder / "a.txt").string();
  expect_written(tokenize(input, folder / "line.h5", "--split-documents line"));
  EXPECT_THAT(documents_of(folder / "line.h5"), ElementsAre("one", "two", "three<end>four"));
  expect_written(tokenize(input, folder / "blank.h5", "--split-documents blank-lines"));
  EXPECT_THAT(documents_of(folder / "blank.h5"), ElementsAre("one\ntwo", "three<end>four"));
  expect_written(tokenize(input, folder / "separator.h5", "--document-separator '<end>'"));
  EXPECT_THAT(documents_of(folder / "separator.h5"), ElementsAre("one\ntwo\n\n \nthree", "four"));
}

TEST(SwardTokenize, PrintsWhatItCounted) {
  const TemporaryFolder folder;
  write_file(folder / "a.txt", "one\ntwo\nthree\n");
  const std::string output = (folder / "a.h5").string();
  const CommandResult result =
      run_command(tokenize((folder / "a.txt").string(), folder / "a.h5", "--split-documents line"));
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, testing::StartsWith("documents 3 tokens 14 bytes 11 tokens_per_second "));
  EXPECT_THAT(result.output, HasSubstr("wrote " + output + " (14 tokens)"));
}

TEST(SwardTokenize, SplitsOffTheSameEvaluationDocumentsEveryTime) {
  const TemporaryFolder folder;
  write_file(folder / "a.txt", many_lines());
  const std::string options = " --split-documents line --evaluation-fraction 0.2";
  for (const std::string name : {"1", "2"})
    expect_written(tokenize((folder / "a.txt").string(), folder / ("train" + name),
                            "--evaluation " + (folder / ("evaluation" + name)).string() + options));
  EXPECT_EQ(read_file(folder / "train1"), read_file(folder / "train2"));
  EXPECT_EQ(read_file(folder / "evaluation1"), read_file(folder / "evaluation2"));
  const std::vector<std::string> train = documents_of(folder / "train1");
  const std::vector<std::string> evaluation = documents_of(folder / "evaluation1");
  // Mean 100, deviation 9.
  EXPECT_NEAR(static_cast<double>(evaluation.size()), 100.0, 54.0);
  EXPECT_EQ(train.size() + evaluation.size(), 500U);
  std::set<std::string> all(train.begin(), train.end());
  all.insert(evaluation.begin(), evaluation.end());
  EXPECT_EQ(all.size(), 500U);
}

TEST(SwardTokenize, SplitsByTheTextOfADocumentAlone) {
  const TemporaryFolder folder;
  // The same documents in the reverse order, in two files, between others, each twice.
  std::vector<std::string> lines = lines_of(many_lines());
  write_file(folder / "a.txt", many_lines());
  std::reverse(lines.begin(), lines.end());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::ofstream stream(folder / (i < 200 ? "b.txt" : "c.txt"), std::ios::app);
    stream << lines[i] << "\nanother " << i << "\n" << lines[i] << "\n";
  }
  const auto split = [&](const std::string& inputs, const std::string& name) {
    expect_written(tokenize(
        inputs, folder / (name + "-train"),
        "--split-documents line --evaluation-fraction 0.3 --evaluation " + (folder / (name + "-evaluation")).string()));
    const std::vector<std::string> documents = documents_of(folder / (name + "-evaluation"));
    std::set<std::string> chosen;
    for (const std::string& document : documents)
      if (document.rfind("document", 0) == 0) chosen.insert(document);
    for (const std::string& document : documents_of(folder / (name + "-train"))) EXPECT_FALSE(chosen.count(document));
    return chosen;
  };
  const std::set<std::string> first = split((folder / "a.txt").string(), "a");
  EXPECT_GT(first.size(), 50U);
  EXPECT_EQ(split((folder / "b.txt").string() + " " + (folder / "c.txt").string(), "b"), first);
}

/// Status 2, one line with these words, and every file below the folder as it was.
void expect_refused(const std::string& command, const TemporaryFolder& folder, const std::string& wanted) {
  const auto before = snapshot(folder.path());
  const CommandResult result = run_for_errors(command);
  EXPECT_EQ(result.status, 2) << command << "\n" << result.output;
  EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
  EXPECT_THAT(result.output, testing::StartsWith("sward-tokenize: "));
  EXPECT_THAT(result.output, HasSubstr(wanted));
  EXPECT_EQ(snapshot(folder.path()), before);
}

TEST(SwardTokenize, WritesOverNothingUnlessForced) {
  const TemporaryFolder folder;
  const std::string input = (folder / "a.txt").string();
  write_file(input, many_lines());
  write_file(folder / "old.h5", "precious");
  const std::string old = (folder / "old.h5").string();
  expect_refused(tokenize(input, folder / "old.h5"), folder, old + ": exists already");
  expect_refused(tokenize(input, folder / "new.h5", "--split-documents line --evaluation " + old), folder,
                 old + ": exists already");
  expect_written(tokenize(input, folder / "old.h5", "--force"));
  EXPECT_THAT(documents_of(folder / "old.h5"), ElementsAre(many_lines()));
  // An input is never written over.
  expect_refused(tokenize(input, input, "--force"), folder, input + ": is an input and an output");
}

TEST(SwardTokenize, RefusesBadInputInOneLine) {
  const TemporaryFolder folder;
  const std::string input = (folder / "a.txt").string();
  const std::filesystem::path output = folder / "a.h5";
  write_file(input, "some text");
  write_file(folder / "blank.txt", " \n\n\t\n");
  const std::string none = (folder / "none.txt").string();
  const std::string split = " --evaluation " + (folder / "b.h5").string();
  expect_refused(program("sward-tokenize"), folder, "INPUT is required");
  expect_refused(program("sward-tokenize") + " " + input + " --output x", folder, "--tokenizer is required");
  expect_refused(tokenize(input + " " + none, output), folder, none + ": no such file");
  expect_refused(tokenize(folder.path().string(), output), folder, folder.path().string() + ": is a folder");
  write_file(folder / "packed.txt", "\x1f\x8b\x08 and so on");
  expect_refused(tokenize((folder / "packed.txt").string(), output), folder, "packed.txt: is compressed");
  write_file(folder / "a.jsonl", "{}");
  expect_refused(tokenize((folder / "a.jsonl").string(), output), folder, "a.jsonl: JSON lines");
  expect_refused(tokenize(input, folder.path(), "--force"), folder, folder.path().string() + ": is a folder");
  expect_refused(tokenize(input, folder / "none/a.h5"), folder, "there is no folder");
  expect_refused(tokenize((folder / "blank.txt").string(), output), folder, output.string() + ": no document");
  expect_refused(tokenize(input, output, split), folder, "no document of the inputs would go here");
  expect_refused(tokenize(input, output, "--evaluation " + output.string()), folder, "are the same file");
  expect_refused(tokenize(input, output, split + " --evaluation-fraction 1"), folder, "not between 0 and 1");
  expect_refused(tokenize(input, output, "--split-documents word"), folder, "--split-documents");
  expect_refused(tokenize(input, output, "--evaluation-fraction 0.5"), folder, "--evaluation");
  expect_refused(program("sward-tokenize") + " " + input + " --tokenizer " + none + " --output " + output.string(),
                 folder, none);
}

TEST(SwardTokenize, HelpIsNoMistake) {
  const CommandResult result = run_command(program("sward-tokenize") + " --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("--evaluation-fraction"));
}

}  // namespace
}  // namespace Sward::Test
