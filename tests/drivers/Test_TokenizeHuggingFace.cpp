#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "Sward_TokenFile.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string script = SWARD_EXAMPLES_DIR "/tokenize_hugging_face.py";

/// A Python with the package tokenizers: SWARD_TEST_PYTHON, else python3.
std::string python() {
  const char* const chosen = std::getenv("SWARD_TEST_PYTHON");
  return chosen != nullptr ? chosen : "python3";
}

bool has_tokenizers() { return run_command(python() + " -c 'import tokenizers'").status == 0; }

/// Whole words with a number each.
const std::string word_tokenizer = R"({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
  "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
  "model": {"type": "WordLevel", "vocab": {"<b>": 0, "<e>": 1, "the": 2, "sward": 3, "grows": 4, "?": 5},
            "unk_token": "?"}})";

TEST(TokenizeHuggingFace, MakesLinesThatSwardTokenizeTakes) {
  if (!has_tokenizers()) GTEST_SKIP() << "no Python package tokenizers";
  const TemporaryFolder folder;
  write_file(folder / "tokenizer.json", word_tokenizer);
  write_file(folder / "a.jsonl",
             "{\"text\": \"the sward\"}\n{\"prompt\": \"the forest\", \"response\": \"grows grows\"}\n");
  const CommandResult result =
      run_command(python() + " " + script + " " + (folder / "tokenizer.json").string() + " '<b>' '<e>' < " +
                  (folder / "a.jsonl").string() + " | " + program("sward-tokenize") +
                  " - --input-format jsonl --tokenizer none --vocab-size 6 --output " + (folder / "a.h5").string());
  ASSERT_EQ(result.status, 0) << result.output;
  EXPECT_THAT(TokenFile(folder / "a.h5").read(0, 9), ElementsAre(0, 2, 3, 0, 2, 5, 4, 4, 1));
  EXPECT_THAT(Hdf5File::open_read(folder / "a.h5").read<std::uint8_t>("/loss_mask"),
              ElementsAre(1, 1, 1, 0, 0, 0, 1, 1, 1));
  const CommandResult unknown =
      run_command(python() + " " + script + " " + (folder / "tokenizer.json").string() + " '<b>' none < /dev/null");
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.output, HasSubstr("BEGIN or END is not in the vocabulary"));
}

TEST(TokenizeHuggingFace, ExplainsItself) {
  const CommandResult result = run_command("python3 " + script + " --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("tokenizer.json BEGIN END"));
}

}  // namespace
}  // namespace Sward::Test
