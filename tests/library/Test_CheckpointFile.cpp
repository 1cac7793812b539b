#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <numeric>

#include "Sward_CheckpointFile.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"
#include "Sward_TokenFileWriter.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CheckpointHeader some_header() {
  CheckpointHeader header;
  header.step = (std::int64_t{1} << 40) + 1;
  header.seed = std::numeric_limits<std::uint64_t>::max();
  header.sequence_length = 128;
  header.sequences = 12;
  header.configuration = "[batch]\nmicro = 3\n";
  header.shape = {8, 12, 2, 1, 1, 11, false, 1.0 / 3e5, 12345.678};
  return header;
}

/// Parameter i holds i, i + 1/n, i + 2/n, ...
std::vector<float> values_of(const ParameterInfo& parameter, std::size_t number) {
  std::vector<float> values(static_cast<std::size_t>(parameter.size()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(number) + static_cast<float>(i) / static_cast<float>(values.size());
  return values;
}

/// A checkpoint without optimizer state; the parameter `left_out` is missing, `turned` has its extents reversed.
void write_checkpoint(const std::filesystem::path& path, const std::string& left_out = "",
                      const std::string& turned = "") {
  const CheckpointHeader header = some_header();
  Hdf5File file = create_checkpoint(path, header);
  const std::vector<ParameterInfo> parameters = list_parameters(header.shape);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].name == left_out) continue;
    std::vector<std::size_t> extents = file_extents(parameters[i]);
    if (parameters[i].name == turned) std::swap(extents.front(), extents.back());
    const std::vector<float> values = values_of(parameters[i], i);
    file.write("/weights/" + parameters[i].name, std::span<const float>(values), extents);
  }
  file.close();
}

TEST(CheckpointFile, reads_header_and_weights_as_they_were_written) {
  const TemporaryFolder folder;
  write_checkpoint(folder / "a.h5");
  const CheckpointFile checkpoint(folder / "a.h5");
  const CheckpointHeader wanted = some_header();
  EXPECT_EQ(checkpoint.header().step, wanted.step);
  EXPECT_EQ(checkpoint.header().seed, wanted.seed);
  EXPECT_EQ(checkpoint.header().sequence_length, 128);
  EXPECT_EQ(checkpoint.header().sequences, 12);
  EXPECT_EQ(checkpoint.header().configuration, wanted.configuration);
  EXPECT_EQ(checkpoint.header().shape, wanted.shape);
  EXPECT_FALSE(checkpoint.has_optimizer());
  const std::vector<ParameterInfo> parameters = list_parameters(wanted.shape);
  ASSERT_EQ(checkpoint.parameters().size(), parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_EQ(checkpoint.parameters()[i].name, parameters[i].name);
    EXPECT_EQ(checkpoint.read_weight(parameters[i]), values_of(parameters[i], i)) << parameters[i].name;
  }
}

/// A checkpoint with this shape and no weights, read again.
LlamaShape read_again(const std::filesystem::path& path, const LlamaShape& shape) {
  CheckpointHeader header = some_header();
  header.shape = shape;
  Hdf5File file = create_checkpoint(path, header);
  file.create_group("/weights");
  file.close();
  return CheckpointFile(path).header().shape;
}

TEST(CheckpointFile, keeps_the_scaling_of_positions) {
  const TemporaryFolder folder;
  LlamaShape shape = some_header().shape;
  // Files without scaling look as they did before there was any.
  EXPECT_EQ(read_again(folder / "none.h5", shape), shape);
  EXPECT_FALSE(Hdf5File::open_read(folder / "none.h5").has_attribute("/model", "rope_type"));
  shape.rope_scaling = {RotaryScaling::Kind::linear, 1.0 / 0.3};
  EXPECT_EQ(read_again(folder / "linear.h5", shape), shape);
  shape.rope_scaling = {RotaryScaling::Kind::llama3, 1.0 / 0.3, 0.7, 1e9 / 7, (std::int64_t{1} << 40) + 1};
  EXPECT_EQ(read_again(folder / "llama3.h5", shape), shape);
}

TEST(CheckpointFile, refuses_a_scaling_that_it_does_not_know_or_that_cannot_be) {
  const TemporaryFolder folder;
  Hdf5File file = create_checkpoint(folder / "a.h5", some_header());
  file.create_group("/weights");
  file.write_attribute("/model", "rope_type", std::string_view("yarn"));
  file.close();
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "a.h5"); }),
              HasSubstr("a.h5: /model: rope_type is 'yarn', wanted 'default', 'linear' or 'llama3'"));
  LlamaShape shape = some_header().shape;
  shape.rope_scaling = {RotaryScaling::Kind::linear, 0.5};
  EXPECT_THAT(message_of<InputError>([&] { read_again(folder / "b.h5", shape); }),
              HasSubstr("b.h5: rope_scaling: factor is 0.5"));
}

TEST(CheckpointFile, carries_a_tokenizer_model_if_there_is_one) {
  const TemporaryFolder folder;
  write_checkpoint(folder / "a.h5");
  EXPECT_EQ(CheckpointFile(folder / "a.h5").tokenizer_model(), "");
  Hdf5File file = create_checkpoint(folder / "b.h5", some_header());
  file.create_group("/weights");
  const std::vector<std::uint8_t> bytes{0, 255, 10, 13, 0};
  file.write("/tokenizer_model", std::span<const std::uint8_t>(bytes));
  file.close();
  EXPECT_EQ(CheckpointFile(folder / "b.h5").tokenizer_model(), std::string("\0\xff\n\r\0", 5));
}

TEST(CheckpointFile, keeps_a_flag_of_the_shape_and_notices_optimizer_state) {
  const TemporaryFolder folder;
  CheckpointHeader header = some_header();
  header.shape.tie_embeddings = true;
  Hdf5File file = create_checkpoint(folder / "a.h5", header);
  file.create_group("/weights");
  file.create_group("/optimizer/a");
  file.close();
  EXPECT_TRUE(CheckpointFile(folder / "a.h5").header().shape.tie_embeddings);
  EXPECT_TRUE(CheckpointFile(folder / "a.h5").has_optimizer());
}

TEST(CheckpointFile, stores_norms_with_one_dimension) {
  EXPECT_THAT(file_extents({"norm", 1, 8, ParameterKind::norm, 0}), ElementsAre(8));
  EXPECT_THAT(file_extents({"matrix", 1, 8, ParameterKind::attention, 0}), ElementsAre(1, 8));
  const TemporaryFolder folder;
  write_checkpoint(folder / "a.h5");
  const CheckpointFile checkpoint(folder / "a.h5");
  EXPECT_THAT(checkpoint.file().extents("/weights/model.norm.weight"), ElementsAre(8));
  EXPECT_THAT(checkpoint.file().extents("/weights/lm_head.weight"), ElementsAre(11, 8));
}

TEST(CheckpointFile, names_file_and_weight_that_is_missing_or_of_another_shape) {
  const TemporaryFolder folder;
  const std::vector<ParameterInfo> parameters = list_parameters(some_header().shape);
  const ParameterInfo& down = parameters[7];
  ASSERT_NE(down.rows, down.columns);
  write_checkpoint(folder / "a.h5", down.name);
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "a.h5").read_weight(down); }),
              HasSubstr("a.h5: /weights/" + down.name + ": is missing"));
  write_checkpoint(folder / "b.h5", "", down.name);
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "b.h5").read_weight(down); }),
              HasSubstr("b.h5: /weights/" + down.name));
}

TEST(CheckpointFile, names_an_unknown_format_version) {
  const TemporaryFolder folder;
  Hdf5File file = Hdf5File::create(folder / "a.h5");
  file.create_group("/weights");
  file.create_group("/model");
  file.write_attribute("/", "format_version", CheckpointFile::format_version + 1);
  file.close();
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "a.h5"); }),
              HasSubstr("a.h5: format_version is 2, wanted 1"));
}

TEST(CheckpointFile, refuses_a_step_before_the_first) {
  const TemporaryFolder folder;
  CheckpointHeader header = some_header();
  header.step = -1;
  Hdf5File file = create_checkpoint(folder / "a.h5", header);
  file.create_group("/weights");
  file.close();
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "a.h5"); }),
              HasSubstr("a.h5: step is -1, wanted 0 or more"));
}

TEST(CheckpointFile, names_what_is_not_a_checkpoint) {
  const TemporaryFolder folder;
  TokenFileWriter tokens(folder / "tokens.h5", 10, "none", "");
  tokens.append(std::vector<std::uint32_t>{1, 2, 3});
  tokens.commit();
  write_file(folder / "text.h5", "some text");
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "tokens.h5"); }),
              HasSubstr("tokens.h5: is not a checkpoint"));
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "text.h5"); }), HasSubstr("text.h5"));
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "none.h5"); }), HasSubstr("none.h5"));
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder.path()); }), HasSubstr(folder.path().string()));
}

TEST(CheckpointFile, refuses_a_shape_that_cannot_be) {
  const TemporaryFolder folder;
  CheckpointHeader header = some_header();
  header.shape.num_heads = 3;
  Hdf5File file = create_checkpoint(folder / "a.h5", header);
  file.create_group("/weights");
  file.close();
  EXPECT_THAT(message_of<InputError>([&] { CheckpointFile(folder / "a.h5"); }), HasSubstr("a.h5: hidden_size is 8"));
}

TEST(CheckpointFile, takes_no_memory_for_a_weight_that_the_file_does_not_hold) {
  const TemporaryFolder folder;
  CheckpointHeader header = some_header();
  header.shape.hidden_size = 65'536;
  header.shape.vocab_size = 2'000'000'000;
  Hdf5File file = create_checkpoint(folder / "a.h5", header);
  file.write("/weights/model.embed_tokens.weight", std::span<const float>(std::vector<float>{1, 2}), {2, 1});
  file.close();
  const CheckpointFile checkpoint(folder / "a.h5");
  EXPECT_THAT(message_of<InputError>([&] { checkpoint.read_weight(checkpoint.parameters()[0]); }),
              HasSubstr("model.embed_tokens.weight: has extents (2, 1), wanted (2000000000, 65536)"));
}

TEST(checkpoint_path, has_eight_digits_or_more) {
  EXPECT_EQ(checkpoint_path("run", 12), "run/checkpoint-00000012.h5");
  EXPECT_EQ(checkpoint_path("run", 1234567890), "run/checkpoint-1234567890.h5");
}

TEST(list_checkpoints, has_the_newest_first_and_nothing_else) {
  const TemporaryFolder folder;
  const std::vector<std::int64_t> steps{5, 99'999'999, 100'000'000, 12, 1'000'000'001, 100'000'001};
  for (const std::int64_t step : steps) write_file(checkpoint_path(folder.path(), step), "");
  for (const char* other : {"checkpoint-5.h5", "checkpoint-00000005.h5.tmp", ".checkpoint-00000005.h5.abc.tmp",
                            "checkpoint-0000000a.h5", "metrics.jsonl", "xcheckpoint-00000005.h5"})
    write_file(folder / other, "");
  std::vector<std::filesystem::path> wanted;
  for (const std::int64_t step : {1'000'000'001, 100'000'001, 100'000'000, 99'999'999, 12, 5})
    wanted.push_back(checkpoint_path(folder.path(), step));
  EXPECT_EQ(list_checkpoints(folder.path()), wanted);
}

TEST(list_checkpoints, is_empty_without_a_folder) {
  const TemporaryFolder folder;
  EXPECT_TRUE(list_checkpoints(folder.path()).empty());
  EXPECT_TRUE(list_checkpoints(folder / "none").empty());
  write_file(folder / "file", "");
  EXPECT_TRUE(list_checkpoints(folder / "file").empty());
}

}  // namespace
}  // namespace Sward::Test
