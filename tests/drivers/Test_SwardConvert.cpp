#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_TrainingFolder.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

const std::string golden = golden_folder("tiny-adamw").string();

std::string convert(const std::filesystem::path& from, const std::filesystem::path& to, const std::string& rest = "") {
  return program("sward-convert") + " " + from.string() + " " + to.string() + " " + rest;
}

void expect_converted(const std::string& command) {
  const CommandResult result = run_command(command);
  EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(SwardConvert, GoesFromHuggingFaceAndBackBitForBit) {
  const TemporaryFolder folder;
  expect_converted(convert(golden, folder / "model.h5"));
  expect_converted(convert(folder / "model.h5", folder / "back"));
  const HuggingFaceFolder before(golden);
  const CheckpointFile between(folder / "model.h5");
  const HuggingFaceFolder after(folder / "back");
  EXPECT_EQ(between.header().shape, before.shape());
  EXPECT_EQ(after.shape(), before.shape());
  EXPECT_EQ(between.header().step, 0);
  EXPECT_FALSE(between.has_optimizer());
  ASSERT_EQ(before.parameters().size(), 21U);
  for (const ParameterInfo& parameter : before.parameters()) {
    EXPECT_TRUE(same_bits(between.read_weight(parameter), before.read(parameter.name))) << parameter.name;
    EXPECT_TRUE(same_bits(after.read(parameter.name), before.read(parameter.name))) << parameter.name;
  }
}

TEST(SwardConvert, GoesFromATrainedCheckpointAndBackBitForBit) {
  const TrainingFolder folder;
  ASSERT_EQ(run_command(folder.train({"model.tie_embeddings=true", "model.num_key_value_heads=1"})).status, 0);
  expect_converted(convert(folder.checkpoint(4), folder / "hf"));
  expect_converted(convert(folder / "hf", folder / "back.h5"));
  const CheckpointFile before(folder.checkpoint(4));
  const CheckpointFile after(folder / "back.h5");
  EXPECT_TRUE(before.has_optimizer());
  EXPECT_FALSE(after.has_optimizer());
  EXPECT_TRUE(after.header().shape.tie_embeddings);
  EXPECT_EQ(after.header().shape, before.header().shape);
  for (const ParameterInfo& parameter : before.parameters())
    EXPECT_TRUE(same_bits(before.read_weight(parameter), after.read_weight(parameter))) << parameter.name;
  // Users are told the length that the model was trained with, which a checkpoint made from a folder does not know.
  EXPECT_THAT(read_file(folder / "hf/config.json"), HasSubstr("\"max_position_embeddings\": 8,"));
  // The same model again is the same bytes again.
  expect_converted(convert(folder / "back.h5", folder / "again"));
  EXPECT_EQ(read_file(folder / "again/model.safetensors"), read_file(folder / "hf/model.safetensors"));
}

/// Status 2, one line with these words, and every file below the folder as it was.
void expect_refused(const std::string& command, const std::filesystem::path& folder, const std::string& wanted) {
  const auto before = snapshot(folder);
  const CommandResult result = run_for_errors(command);
  EXPECT_EQ(result.status, 2) << result.output;
  EXPECT_EQ(lines_of(result.output).size(), 1U) << result.output;
  EXPECT_THAT(result.output, testing::StartsWith("sward-convert: "));
  EXPECT_THAT(result.output, HasSubstr(wanted));
  EXPECT_EQ(snapshot(folder), before);
}

TEST(SwardConvert, WritesOverNothingUnlessForced) {
  const TemporaryFolder folder;
  write_file(folder / "model.h5", "precious");
  expect_refused(convert(golden, folder / "model.h5"), folder.path(), (folder / "model.h5").string());
  expect_converted(convert(golden, folder / "model.h5", "--force"));
  EXPECT_EQ(CheckpointFile(folder / "model.h5").parameters().size(), 21U);
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"}) {
    const std::filesystem::path target = folder / ("with-" + std::string(name));
    std::filesystem::create_directory(target);
    write_file(target / name, "precious");
    expect_refused(convert(folder / "model.h5", target), folder.path(), (target / name).string() + ": exists already");
  }
  const std::filesystem::path target = folder / "with-config.json";
  expect_converted(convert(folder / "model.h5", target, "--force"));
  EXPECT_EQ(HuggingFaceFolder(target).parameters().size(), 21U);
}

TEST(SwardConvert, RefusesBadInputInOneLine) {
  const TemporaryFolder folder;
  const std::filesystem::path model = folder / "model.h5";
  expect_converted(convert(golden, model));
  std::filesystem::create_directory(folder / "empty");
  write_file(folder / "file", "some text");
  const std::string tokens = (golden_folder("tiny-adamw") / "tokens.h5").string();
  expect_refused(program("sward-convert"), folder.path(), "required");
  expect_refused(program("sward-convert") + " " + golden, folder.path(), "to is required");
  expect_refused(convert(folder / "none", folder / "new"), folder.path(), (folder / "none").string() + ": no such");
  expect_refused(convert(folder / "empty", folder / "new.h5"), folder.path(), "empty/config.json");
  expect_refused(convert(folder / "file", folder / "new"), folder.path(), (folder / "file").string());
  expect_refused(convert(tokens, folder / "new"), folder.path(), tokens + ": is not a checkpoint");
  expect_refused(convert(golden, folder / "empty"), folder.path(), (folder / "empty").string() + ": is a folder");
  expect_refused(convert(golden, folder / "none/new.h5"), folder.path(), "there is no folder");
  expect_refused(convert(model, folder / "file"), folder.path(), (folder / "file").string() + ": is a file");
  expect_refused(convert(model, model, "--force"), folder.path(), model.string() + ": is a file");
}

TEST(SwardConvert, LeavesNothingBehindWhenWeightsAreDamaged) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "hf");
  std::filesystem::copy_file(golden + "/config.json", folder / "hf/config.json");
  const std::string bytes = read_file(golden + "/model.safetensors");
  write_file(folder / "hf/model.safetensors", bytes.substr(0, bytes.size() - 10));
  expect_refused(convert(folder / "hf", folder / "new.h5"), folder.path(), "model.safetensors");
}

TEST(SwardConvert, HelpIsNoMistake) {
  const CommandResult result = run_command(program("sward-convert") + " --help");
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.output, HasSubstr("--force"));
}

}  // namespace
}  // namespace Sward::Test
