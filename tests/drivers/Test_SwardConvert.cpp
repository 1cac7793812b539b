#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

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

/// The kinds of models of tests/data/huggingface: sharded, bfloat16, half, tied, with scaled positions.
class SwardConvertKinds : public ::testing::TestWithParam<std::string> {};

TEST_P(SwardConvertKinds, GoesToACheckpointAndBackWithTheSameTensors) {
  const TemporaryFolder folder;
  const std::filesystem::path start = reference_folder(GetParam());
  expect_converted(convert(start, folder / "model.h5"));
  expect_converted(convert(folder / "model.h5", folder / "back"));
  const HuggingFaceFolder before(start);
  const CheckpointFile between(folder / "model.h5");
  const HuggingFaceFolder after(folder / "back");
  EXPECT_EQ(between.header().shape, before.shape());
  EXPECT_EQ(after.shape(), before.shape());
  for (const ParameterInfo& parameter : before.parameters()) {
    EXPECT_TRUE(same_bits(between.read_weight(parameter), before.read(parameter.name))) << parameter.name;
    EXPECT_TRUE(same_bits(after.read(parameter.name), before.read(parameter.name))) << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, SwardConvertKinds, ::testing::ValuesIn(reference_kinds),
                         [](const auto& kind) { return kind.param; });

TEST(SwardConvert, WritesTheTypesThatModelsCameIn) {
  const TemporaryFolder folder;
  for (const auto& [kind, dtype, torch_name] :
       {std::tuple("llama3", "bfloat16", "bfloat16"), std::tuple("tinyllama", "half", "float16")}) {
    const std::filesystem::path start = reference_folder(kind);
    const std::filesystem::path back = folder / kind;
    expect_converted(convert(start, folder / "model.h5", "--force"));
    expect_converted(convert(folder / "model.h5", back, std::string("--dtype ") + dtype));
    const SafetensorsFolder before(start);
    const SafetensorsFolder after(back);
    ASSERT_EQ(after.tensors().size(), before.tensors().size());
    for (const auto& [name, file] : before.tensors()) {
      EXPECT_EQ(after.entry(name).type, before.entry(name).type) << name;
      EXPECT_TRUE(same_bits(after.read(name), before.read(name))) << name;
    }
    EXPECT_THAT(read_file(back / "config.json"), HasSubstr(std::string("\"torch_dtype\": \"") + torch_name + "\""));
  }
}

TEST(SwardConvert, WritesShardsAndReadsThem) {
  const TemporaryFolder folder;
  expect_converted(convert(golden, folder / "model.h5"));
  expect_converted(convert(folder / "model.h5", folder / "shards", "--max-shard-size 40KB"));
  const SafetensorsFolder shards(folder / "shards");
  EXPECT_FALSE(std::filesystem::exists(folder / "shards/model.safetensors"));
  std::map<const SafetensorsFile*, std::uint64_t> bytes;
  for (const auto& [name, file] : shards.tensors()) bytes[file] += shards.entry(name).count() * sizeof(float);
  EXPECT_EQ(bytes.size(), 6U);
  for (const auto& [file, size] : bytes) EXPECT_LE(size, 40'000U) << file->path();
  expect_converted(convert(folder / "shards", folder / "again.h5"));
  EXPECT_TRUE(read_file(folder / "again.h5") == read_file(folder / "model.h5"));
  // Without a limit there is one file again, and no shard of before.
  expect_converted(convert(folder / "model.h5", folder / "shards", "--force"));
  EXPECT_EQ(snapshot(folder / "shards").size(), 2U);
}

TEST(SwardConvert, TakesTheTokenizerModelAlong) {
  const TemporaryFolder folder;
  std::filesystem::copy(golden, folder / "hf");
  const std::string bytes("\0any\xff\r\n", 7);
  write_file(folder / "hf/tokenizer.model", bytes);
  expect_converted(convert(folder / "hf", folder / "model.h5"));
  EXPECT_EQ(CheckpointFile(folder / "model.h5").tokenizer_model(), bytes);
  expect_converted(convert(folder / "model.h5", folder / "back"));
  EXPECT_EQ(read_file(folder / "back/tokenizer.model"), bytes);
  std::filesystem::remove(folder / "back/config.json");
  std::filesystem::remove(folder / "back/model.safetensors");
  const CommandResult result = run_for_errors(convert(folder / "model.h5", folder / "back"));
  EXPECT_EQ(result.status, 2);
  EXPECT_THAT(result.output, HasSubstr("back/tokenizer.model: exists already"));
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
  for (const char* name :
       {"config.json", "model.safetensors", "model-00002-of-00003.safetensors", "model.safetensors.index.json"}) {
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

TEST(SwardConvert, RefusesBadOptionsInOneLine) {
  const TemporaryFolder folder;
  const std::filesystem::path model = folder / "model.h5";
  expect_converted(convert(golden, model));
  const auto refused = [&](const std::string& options, const std::string& wanted) {
    expect_refused(convert(model, folder / "new", options), folder.path(), wanted);
  };
  refused("--dtype int8", "--dtype: int8 not in {float,bfloat16,half}");
  for (const char* size : {"0", "-5", "0GB"}) refused(std::string("--max-shard-size ") + size, "not in range 1 to");
  for (const char* size : {"5.5GB", "1e9", "much"})
    refused(std::string("--max-shard-size ") + size, "--max-shard-size: ");
  for (const char* option : {"--dtype half", "--max-shard-size 1GB"})
    expect_refused(convert(golden, folder / "new.h5", option), folder.path(), "of a folder that is written");
}

TEST(SwardConvert, NamesAMissingShard) {
  const TemporaryFolder folder;
  std::filesystem::copy(reference_folder("llama2"), folder / "hf");
  const std::filesystem::path shard = folder / "hf/model-00003-of-00005.safetensors";
  ASSERT_TRUE(std::filesystem::remove(shard));
  expect_refused(convert(folder / "hf", folder / "new.h5"), folder.path(), shard.string() + ": cannot open");
}

TEST(SwardConvert, NamesEveryTensorThatDoesNotFit) {
  const TemporaryFolder folder;
  std::filesystem::copy(golden, folder / "hf");
  auto config = nlohmann::json::parse(read_file(folder / "hf/config.json"));
  config["num_hidden_layers"] = 3;
  config["vocab_size"] = 98;
  write_file(folder / "hf/config.json", config.dump());
  const CommandResult result = run_for_errors(convert(folder / "hf", folder / "new.h5"));
  EXPECT_EQ(result.status, 2);
  // 9 tensors of a third layer, embedding and head.
  EXPECT_EQ(lines_with(result.output, "sward-convert: ").size(), 11U) << result.output;
  EXPECT_EQ(lines_of(result.output).size(), 11U) << result.output;
  EXPECT_THAT(result.output, HasSubstr("'model.layers.2.mlp.up_proj.weight' is missing, wanted (100, 48)\n"));
  EXPECT_THAT(result.output, HasSubstr("'lm_head.weight' is (97, 48), wanted (98, 48)\n"));
  EXPECT_FALSE(std::filesystem::exists(folder / "new.h5"));
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
