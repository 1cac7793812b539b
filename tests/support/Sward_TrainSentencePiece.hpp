#pragma once

#include <gtest/gtest.h>
#include <sentencepiece_trainer.h>

#include <string>

#include "Sward_TestFiles.hpp"

namespace Sward::Test {

/// Trains a small model with byte fallback, of the kind that LLaMA uses, on a few made-up lines. The caller's options
/// win over these. Returns its path.
inline std::string train_sentencepiece(const TemporaryFolder& folder, const std::string& more_options = "") {
  std::string text;
  for (const char* noun : {"meadow", "river", "sward", "forest", "garden"}) {
    for (const char* verb : {"grows", "sleeps", "waits", "shines"}) {
      text += std::string("the ") + noun + " " + verb + " while the other " + noun + " never " + verb + ".\n";
    }
  }
  write_file(folder / "text", text);
  const auto status = sentencepiece::SentencePieceTrainer::Train(
      more_options + " --input=" + (folder / "text").string() + " --model_prefix=" + (folder / "model").string() +
      " --vocab_size=320 --model_type=bpe --byte_fallback=true --normalization_rule_name=identity"
      " --remove_extra_whitespaces=false --minloglevel=2");
  EXPECT_TRUE(status.ok()) << status.ToString();
  return (folder / "model.model").string();
}

}  // namespace Sward::Test
