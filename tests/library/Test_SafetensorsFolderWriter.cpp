#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "Sward_SafetensorsFolderWriter.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;

// 40, 24, 60, 4 and 0 bytes.
const std::vector<SafetensorsTensor> tensors{{"b", {2, 5}}, {"a", {6}}, {"c", {5, 3}}, {"d", {}}, {"e", {0, 4}}};

std::vector<float> values_of(const SafetensorsTensor& tensor) {
  std::mt19937 engine(static_cast<unsigned>(tensor.name.front()));
  std::normal_distribution<float> normal;
  std::size_t count = 1;
  for (const std::int64_t extent : tensor.shape) count *= static_cast<std::size_t>(extent);
  std::vector<float> values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

void write_folder(const std::filesystem::path& folder, std::uint64_t shard_bytes) {
  SafetensorsFolderWriter writer(folder, tensors, SafetensorsType::f32, shard_bytes);
  for (const SafetensorsTensor& tensor : tensors) writer.write(tensor.name, values_of(tensor));
  writer.commit();
}

void expect_readable(const std::filesystem::path& folder) {
  const SafetensorsFolder read(folder);
  EXPECT_EQ(read.tensors().size(), tensors.size());
  for (const SafetensorsTensor& tensor : tensors) {
    EXPECT_EQ(read.read(tensor.name), values_of(tensor)) << tensor.name;
    EXPECT_EQ(read.entry(tensor.name).shape, tensor.shape) << tensor.name;
  }
}

std::set<std::string> files_of(const std::filesystem::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

TEST(SafetensorsFolderWriter, writes_one_file_where_all_fits) {
  const TemporaryFolder folder;
  write_folder(folder.path(), 128);
  EXPECT_THAT(files_of(folder.path()), ElementsAre("model.safetensors"));
  expect_readable(folder.path());
}

TEST(SafetensorsFolderWriter, fills_shards_in_order) {
  const TemporaryFolder folder;
  write_folder(folder.path(), 64);
  EXPECT_THAT(files_of(folder.path()), ElementsAre("model-00001-of-00002.safetensors",
                                                   "model-00002-of-00002.safetensors", "model.safetensors.index.json"));
  expect_readable(folder.path());
  const auto index = nlohmann::json::parse(read_file(folder / "model.safetensors.index.json"));
  EXPECT_EQ(index["metadata"]["total_size"], 128);
  EXPECT_EQ(index["weight_map"]["a"], "model-00001-of-00002.safetensors");
  EXPECT_EQ(index["weight_map"]["c"], "model-00002-of-00002.safetensors");
}

TEST(SafetensorsFolderWriter, gives_a_larger_tensor_a_shard_of_its_own) {
  const TemporaryFolder folder;
  write_folder(folder.path(), 1);
  EXPECT_EQ(files_of(folder.path()).size(), tensors.size() + 1);
  expect_readable(folder.path());
}

TEST(SafetensorsFolderWriter, leaves_no_weights_of_before) {
  const TemporaryFolder folder;
  write_file(folder / "model-card.safetensors.md", "kept");
  for (const std::uint64_t shard_bytes : {1, 64, 128, 1, 128, 64}) {
    write_folder(folder.path(), shard_bytes);
    expect_readable(folder.path());
    const std::size_t weights = shard_bytes == 1 ? 6 : shard_bytes == 64 ? 3 : 1;
    EXPECT_EQ(files_of(folder.path()).size(), weights + 1) << shard_bytes;
  }
}

TEST(SafetensorsFolderWriter, lists_the_files_that_it_would_remove) {
  const TemporaryFolder folder;
  EXPECT_TRUE(list_weight_files(folder.path()).empty());
  EXPECT_TRUE(list_weight_files(folder / "none").empty());
  for (const char* name : {"a", "config.json", "model-card.safetensors.md", "tokenizer.model"})
    write_file(folder / name, "");
  EXPECT_TRUE(list_weight_files(folder.path()).empty());
  for (const char* name : {"model.safetensors", "model-1-of-2.safetensors", "model.safetensors.index.json"})
    write_file(folder / name, "");
  const auto files = list_weight_files(folder.path());
  EXPECT_EQ(files.size(), 3U);
  EXPECT_EQ(files.front(), folder / "model.safetensors.index.json");
}

TEST(SafetensorsFolderWriter, shows_nothing_before_it_is_complete) {
  const TemporaryFolder folder;
  write_folder(folder.path(), 128);
  const std::string before = read_file(folder / "model.safetensors");
  {
    SafetensorsFolderWriter writer(folder.path(), tensors, SafetensorsType::f32, 64);
    writer.write("b", values_of(tensors[0]));
    writer.write("a", values_of(tensors[1]));
    EXPECT_THROW(writer.commit(), std::invalid_argument);
    writer.write("c", values_of(tensors[2]));
    EXPECT_THROW(writer.write("e", values_of(tensors[4])), std::invalid_argument);
    EXPECT_THROW(writer.commit(), std::invalid_argument);
  }
  EXPECT_THAT(files_of(folder.path()), ElementsAre("model.safetensors"));
  EXPECT_EQ(read_file(folder / "model.safetensors"), before);
}

}  // namespace
}  // namespace Sward::Test
