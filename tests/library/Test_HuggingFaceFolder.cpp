#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_InputError.hpp"
#include "Sward_SafetensorsWriter.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

constexpr LlamaShape untied{8, 6, 2, 1, 2, 5, false, 1e-6, 10000};

std::vector<SafetensorsTensor> tensors_of(const LlamaShape& shape) {
  std::vector<SafetensorsTensor> tensors;
  for (const ParameterInfo& parameter : list_parameters(shape)) {
    const bool norm = parameter.kind == ParameterKind::norm;
    tensors.push_back(
        {parameter.name, norm ? std::vector{parameter.columns} : std::vector{parameter.rows, parameter.columns}});
  }
  return tensors;
}

/// Tensor i is filled with the value i, tensors of the same name with the same value.
void write_folder(const TemporaryFolder& folder, const LlamaShape& shape,
                  const std::vector<SafetensorsTensor>& tensors) {
  write_huggingface_config(folder.path(), shape);
  SafetensorsWriter writer(folder / "model.safetensors", tensors);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::size_t count = 1;
    for (const std::int64_t extent : tensors[i].shape) count *= static_cast<std::size_t>(extent);
    writer.write(tensors[i].name, std::vector<float>(count, static_cast<float>(i)));
  }
  writer.commit();
}

std::string error_with(const LlamaShape& shape, const std::function<void(std::vector<SafetensorsTensor>&)>& change) {
  const TemporaryFolder folder;
  std::vector<SafetensorsTensor> tensors = tensors_of(shape);
  change(tensors);
  write_folder(folder, shape, tensors);
  return message_of<InputError>([&] { HuggingFaceFolder{folder.path()}; });
}

TEST(HuggingFaceFolder, reads_what_was_written) {
  const TemporaryFolder folder;
  for (const bool tied : {false, true}) {
    LlamaShape shape = untied;
    shape.tie_embeddings = tied;
    write_folder(folder, shape, tensors_of(shape));
    const HuggingFaceFolder read(folder.path());
    EXPECT_EQ(read.shape(), shape);
    float value = 0;
    for (const ParameterInfo& parameter : read.parameters()) {
      EXPECT_EQ(read.read(parameter.name), std::vector<float>(static_cast<std::size_t>(parameter.size()), value++));
    }
  }
}

TEST(HuggingFaceFolder, reads_what_transformers_wrote) {
  const HuggingFaceFolder folder(golden_folder("tiny-adamw"));
  EXPECT_EQ(folder.parameters().size(), 21U);
  EXPECT_EQ(folder.read("lm_head.weight").size(), 97U * 48U);
}

TEST(HuggingFaceFolder, names_every_missing_unexpected_and_misshapen_tensor) {
  const TemporaryFolder folder;
  std::vector<SafetensorsTensor> tensors = tensors_of(untied);
  tensors[1].name = "model.layers.0.self_attn.q_proj.bias";
  tensors[3].shape = {4, 7};
  tensors.back().shape = {40};
  write_folder(folder, untied, tensors);
  const std::string file = (folder / "model.safetensors").string();
  const std::vector<std::string> wanted{
      folder.path().string() + ": tensor 'model.layers.0.self_attn.q_proj.weight' is missing, wanted (8, 8)",
      file + ": tensor 'model.layers.0.self_attn.v_proj.weight' is (4, 7), wanted (4, 8)",
      file + ": tensor 'lm_head.weight' is (40), wanted (5, 8)",
      file + ": tensor 'model.layers.0.self_attn.q_proj.bias' (8, 8) is not one of the model of config.json"};
  try {
    HuggingFaceFolder{folder.path()};
    FAIL() << "no exception";
  } catch (const InputErrorList& error) {
    EXPECT_EQ(error.lines(), wanted);
  }
}

TEST(HuggingFaceFolder, shortens_no_list) {
  const std::string error = error_with(untied, [](auto& tensors) { tensors.resize(1); });
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n') + 1, 20);
}

TEST(HuggingFaceFolder, passes_over_rotary_tables) {
  EXPECT_EQ(error_with(untied,
                       [](auto& t) {
                         t.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", {2}});
                       }),
            "no exception");
}

TEST(HuggingFaceFolder, accepts_a_head_beside_tied_embeddings_only_if_equal) {
  LlamaShape tied = untied;
  tied.tie_embeddings = true;
  EXPECT_THAT(error_with(tied,
                         [](auto& tensors) {
                           tensors.push_back({"lm_head.weight", {5, 8}});
                         }),
              HasSubstr("lm_head.weight differs from the embeddings"));

  const TemporaryFolder folder;
  std::vector<SafetensorsTensor> tensors = tensors_of(tied);
  tensors.push_back({"lm_head.weight", {5, 8}});
  write_huggingface_config(folder.path(), tied);
  SafetensorsWriter writer(folder / "model.safetensors", tensors);
  for (const SafetensorsTensor& tensor : tensors) {
    std::size_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= static_cast<std::size_t>(extent);
    writer.write(tensor.name, std::vector<float>(count, 0.25F));
  }
  writer.commit();
  EXPECT_NO_THROW(HuggingFaceFolder{folder.path()});
}

}  // namespace
}  // namespace Sward::Test
