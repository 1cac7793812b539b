#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "Sward_Compress.hpp"
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
  write_file(folder / "short.gz", gzip_member(many_lines()).substr(0, 900));
  expect_refused(tokenize((folder / "short.gz").string(), output), folder, "short.gz: this gzip file is cut short");
  write_file(folder / "damaged.zst", zstd_frame("text") + "text");
  expect_refused(tokenize((folder / "damaged.zst").string(), output), folder, "damaged.zst: this zstd file is damaged");
  expect_refused(tokenize("- -", output), folder, "standard input can be read only once");
  expect_refused(tokenize(input, output, "--vocab-size 5"), folder, "--vocab-size: only with --tokenizer none");
  const std::string no_tokenizer = program("sward-tokenize") + " " + input + " --output " + output.string();
  expect_refused(no_tokenizer + " --tokenizer none", folder, "needs --vocab-size");
  expect_refused(no_tokenizer + " --tokenizer none --vocab-size 9", folder, input + ": is text, and --tokenizer none");
  expect_refused(tokenize(input, output, "--threads 0"), folder, "--threads");
  expect_refused(tokenize(input, output, "--max-bad -1"), folder, "--max-bad");
  expect_refused(tokenize(input, folder.path(), "--force"), folder, folder.path().string() + ": is a folder");
  expect_refused(tokenize(input, folder / "none/a.h5"), folder, "there is no folder");
  const std::string blank = (folder / "blank.txt").string() + " --split-documents line";
  expect_refused(tokenize(blank, output), folder, output.string() + ": no document");
  expect_refused(tokenize(input, output, split), folder, "no document of the inputs would go here");
  expect_refused(tokenize(input, output, "--evaluation " + output.string()), folder, "are the same file");
  expect_refused("cd " + folder.path().string() + " && " + tokenize(input, "a.h5", "--evaluation ./a.h5"), folder,
                 "are the same file");
  expect_refused(tokenize(input, output, split + " --evaluation-fraction 1"), folder, "not between 0 and 1");
  expect_refused(tokenize(input, output, "--split-documents word"), folder, "--split-documents");
  expect_refused(tokenize(input, output, "--evaluation-fraction 0.5"), folder, "--evaluation");
  expect_refused(program("sward-tokenize") + " " + input + " --tokenizer " + none + " --output " + output.string(),
                 folder, none);
}

std::vector<std::uint8_t> mask_of(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open_read(path);
  return file.exists("/loss_mask") ? file.read<std::uint8_t>("/loss_mask") : std::vector<std::uint8_t>();
}

TEST(SwardTokenize, ReadsTextFromGzipZstdAndAPipeAlike) {
  const TemporaryFolder folder;
  const std::string text = many_lines();
  const std::string front = text.substr(0, 5000);
  write_file(folder / "plain", text);
  // Several members or frames; names say nothing.
  write_file(folder / "gzip", gzip_member(front) + gzip_member(text.substr(5000)));
  write_file(folder / "zstd.txt", zstd_frame(front) + zstd_frame(text.substr(5000)));
  for (const std::string name : {"plain", "gzip", "zstd.txt"}) {
    expect_written(tokenize((folder / name).string(), folder / (name + ".h5"), "--split-documents line"));
    expect_written("cat " + (folder / name).string() + " | " +
                   tokenize("-", folder / (name + ".pipe.h5"), "--split-documents line"));
    EXPECT_EQ(documents_of(folder / (name + ".h5")), lines_of(text));
    EXPECT_EQ(read_file(folder / (name + ".h5")), read_file(folder / (name + ".pipe.h5")));
  }
}

TEST(SwardTokenize, ReadsTextOutOfJsonLinesInEveryWrapping) {
  const TemporaryFolder folder;
  const std::string lines = "{\"text\": \"one\\ntwo\", \"id\": 1}\n\n{\"text\": \"\\u00e9\"}\n";
  write_file(folder / "a.jsonl", lines);
  write_file(folder / "b.jsonl.gz", gzip_member(lines));
  write_file(folder / "c.jsonl.zst", zstd_frame(lines));
  for (const std::string name : {"a.jsonl", "b.jsonl.gz", "c.jsonl.zst"}) {
    expect_written(tokenize((folder / name).string(), folder / (name + ".h5")));
    EXPECT_THAT(documents_of(folder / (name + ".h5")), ElementsAre("one\ntwo", "\xc3\xa9"));
  }
  const std::string pipe = "cat " + (folder / "b.jsonl.gz").string() + " | ";
  expect_written(pipe + tokenize("-", folder / "d.h5", "--input-format jsonl"));
  EXPECT_THAT(documents_of(folder / "d.h5"), ElementsAre("one\ntwo", "\xc3\xa9"));
  // As text, lines are what they are.
  expect_written(tokenize((folder / "a.jsonl").string(), folder / "e.h5", "--input-format text"));
  EXPECT_THAT(documents_of(folder / "e.h5"), ElementsAre(lines));
  write_file(folder / "f.jsonl", R"({"content": "mine", "text": 5})");
  expect_written(tokenize((folder / "f.jsonl").string(), folder / "f.h5", "--text-field content"));
  EXPECT_THAT(documents_of(folder / "f.h5"), ElementsAre("mine"));
}

TEST(SwardTokenize, MasksPromptsAndEndsResponses) {
  const TemporaryFolder folder;
  write_file(folder / "a.txt", "no");
  write_file(folder / "b.jsonl", R"({"question": "ab", "answer": "c"})");
  const std::string inputs = (folder / "a.txt").string() + " " + (folder / "b.jsonl").string();
  const std::string fields = "--prompt-field question --response-field answer";
  expect_written(tokenize(inputs, folder / "a.h5", fields));
  const TokenFile file(folder / "a.h5");
  EXPECT_THAT(file.read(0, file.token_count()), ElementsAre(256, 'n', 'o', 256, 'a', 'b', 'c', 257));
  EXPECT_THAT(mask_of(folder / "a.h5"), ElementsAre(1, 1, 1, 0, 0, 0, 1, 1));
  EXPECT_THAT(file.document_starts(), ElementsAre(0, 3));
  expect_written(tokenize((folder / "a.txt").string(), folder / "b.h5"));
  EXPECT_TRUE(mask_of(folder / "b.h5").empty());
}

TEST(SwardTokenize, TakesTokensOfOtherTokenizers) {
  const TemporaryFolder folder;
  write_file(folder / "a.jsonl",
             "{\"input_ids\": [5, 127999]}\n{\"input_ids\": [7, 8, 9], \"loss_mask\": [0, 0, 1]}\n");
  const std::string command = program("sward-tokenize") + " " + (folder / "a.jsonl").string() +
                              " --tokenizer none --output " + (folder / "a.h5").string();
  expect_written(command + " --vocab-size 128000");
  const TokenFile file(folder / "a.h5");
  EXPECT_EQ(file.tokenizer(), "none");
  EXPECT_EQ(file.vocab_size(), 128'000U);
  EXPECT_THAT(file.read(0, 5), ElementsAre(5, 127'999, 7, 8, 9));
  EXPECT_THAT(file.document_starts(), ElementsAre(0, 2));
  EXPECT_THAT(mask_of(folder / "a.h5"), ElementsAre(1, 1, 0, 0, 1));
  expect_refused(command + " --force --vocab-size 127999", folder,
                 "a.jsonl:1: token 127999 at index 1 is not below the vocabulary size 127999");
}

TEST(SwardTokenize, WritesTheSameBytesOnAnyNumberOfThreads) {
  const TemporaryFolder folder;
  std::mt19937 engine(31);
  std::string text;
  std::string json;
  for (int i = 0; i < 4000; ++i) {
    // Documents of up to 3 MB, bad ones among them.
    const std::size_t length = i % 1000 == 0 ? 3'000'000 : engine() % 500;
    text += "document " + std::to_string(i) + std::string(length, static_cast<char>('a' + engine() % 26)) + "\n\n";
    json += i % 50 == 7 ? "{\n" : R"({"prompt": "p", "response": ")" + std::to_string(engine()) + "\"}\n";
  }
  write_file(folder / "a.txt", text);
  write_file(folder / "b.jsonl", json);
  const std::string inputs = (folder / "a.txt").string() + " " + (folder / "b.jsonl").string();
  std::vector<std::string> results;
  for (const std::string threads : {"1", "2", "3", "7"}) {
    const std::string train = (folder / "train.h5").string();
    const std::string evaluation = (folder / "evaluation.h5").string();
    const CommandResult result = run_for_errors(
        tokenize(inputs, train,
                 "--split-documents blank-lines --evaluation-fraction 0.1 --max-bad 80 --force --threads " + threads +
                     " --evaluation " + evaluation));
    EXPECT_EQ(result.status, 0) << result.output;
    results.push_back(read_file(train) + read_file(evaluation) + result.output);
  }
  EXPECT_GT(results[0].size(), 20'000'000U);
  for (const std::string& result : results) EXPECT_TRUE(result == results[0]);
}

TEST(SwardTokenize, NamesBadDocumentsAndStopsAtTooMany) {
  const TemporaryFolder folder;
  std::string lines = "{\"text\": \"good\"}\n{\"text\": 7}\n{\"text\": \"\"}\n";
  for (int i = 0; i < 12; ++i) lines += "no json\n";
  write_file(folder / "a.jsonl", lines);
  const std::string input = (folder / "a.jsonl").string();
  expect_refused(tokenize(input, folder / "a.h5"), folder, input + ":2: field 'text' is no text (--max-bad allows 0)");
  const CommandResult result = run_for_errors(tokenize(input, folder / "a.h5", "--max-bad 13"));
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(lines_with(result.output, "sward-tokenize: " + input).size(), 12U) << result.output;
  EXPECT_THAT(result.output, HasSubstr(input + ":3: this document is empty; left out"));
  EXPECT_THAT(result.output, HasSubstr(input + ":13: not JSON at byte 2 of the line; left out"));
  EXPECT_THAT(result.output, HasSubstr("left out in all: 12 documents not JSON"));
  EXPECT_THAT(documents_of(folder / "a.h5"), ElementsAre("good"));
  std::filesystem::remove(folder / "a.h5");
  EXPECT_EQ(run_for_errors(tokenize(input, folder / "a.h5", "--max-bad 12")).status, 2);
  EXPECT_EQ(folder.file_count(), 1U);
}

TEST(SwardTokenize, ShowsProgressOnATerminalUnlessQuiet) {
  if (run_command("script -qec true /dev/null").status != 0) GTEST_SKIP() << "no terminal can be opened here";
  const TemporaryFolder folder;
  // A terminal by script(1), and input that comes slowly enough to be seen.
  const auto on_terminal = [&](const std::string& options) {
    const std::string input = "(echo one; sleep 0.5; echo two) | ";
    return run_command("script -qec '" + input + tokenize("-", folder / "a.h5", "--force " + options) + "' /dev/null");
  };
  const CommandResult shown = on_terminal("");
  EXPECT_EQ(shown.status, 0) << shown.output;
  EXPECT_THAT(shown.output, HasSubstr("8 B  0.0 MB/s"));
  EXPECT_THAT(on_terminal("--quiet").output, testing::Not(HasSubstr("MB/s")));
  write_file(folder / "a.txt", "one");
  EXPECT_EQ(run_for_errors(tokenize((folder / "a.txt").string(), folder / "b.h5")).output, "");
}

TEST(SwardTokenize, HelpIsNoMistake) {
  const CommandResult result = run_command(program("sward-tokenize") + " --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("--evaluation-fraction"));
}

}  // namespace
}  // namespace Sward::Test
