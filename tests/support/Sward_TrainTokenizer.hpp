#pragma once

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <string>

#include "Sward_TestFiles.hpp"

namespace Sward::Test {

/// The path of a SentencePiece model of 320 pieces with byte fallback, of the kind that LLaMA uses, trained on a few
/// made-up lines.
inline std::string train_tokenizer(const TemporaryFolder& folder, const std::string& more_options = "") {
  std::string text;
  for (const char* noun : {"meadow", "river", "sward", "forest", "garden"}) {
    for (const char* verb : {"grows", "sleeps", "waits", "shines"}) {
      text += std::string("the ") + noun + " " + verb + " while the other " + noun + " never " + verb + ".\n";
    }
  }
  write_file(folder / "text", text);
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      "--input=" + (folder / "text").string() + " --model_prefix=" + (folder / "model").string() +
      " --vocab_size=320 --model_type=bpe --byte_fallback=true --normalization_rule_name=identity"
      " --remove_extra_whitespaces=false --minloglevel=2 " +
      more_options);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return (folder / "model.model").string();
}

}  // namespace Sward::Test
