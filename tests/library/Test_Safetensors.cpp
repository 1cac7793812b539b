#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>

#include "Sward_BFloat16.hpp"
#include "Sward_Float16.hpp"
#include "Sward_InputError.hpp"
#include "Sward_Safetensors.hpp"
#include "Sward_SafetensorsWriter.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string raw_file(const std::string& header, const std::string& data) {
  const std::uint64_t size = header.size();
  std::string bytes(sizeof(size), '\0');
  std::memcpy(bytes.data(), &size, sizeof(size));
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<float> random_floats(std::size_t count) {
  std::mt19937 engine(9);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(engine);
  return values;
}

void write_two(const std::filesystem::path& path, const std::vector<float>& values) {
  SafetensorsWriter writer(path, {{"weight", {3, 5}}, {"a \"quoted\" name", {15}}, {"none", {0, 4}}, {"scalar", {}}});
  writer.write("weight", values);
  writer.write("a \"quoted\" name", values);
  writer.write("none", {});
  writer.write("scalar", std::vector<float>{2});
  writer.commit();
}

TEST(Safetensors, round_trips_tensors) {
  const TemporaryFolder folder;
  const std::vector<float> values = random_floats(15);
  write_two(folder / "a.safetensors", values);
  EXPECT_EQ(folder.file_count(), 1U);
  const SafetensorsFile file(folder / "a.safetensors");
  EXPECT_EQ(file.entries().size(), 4U);
  EXPECT_THAT(file.entries().at("weight").shape, ElementsAre(3, 5));
  EXPECT_EQ(file.read("weight"), values);
  EXPECT_EQ(file.read("a \"quoted\" name"), values);
  EXPECT_TRUE(file.read("none").empty());
  EXPECT_THAT(file.read("scalar"), ElementsAre(2));
  EXPECT_EQ(file.entries().at("weight").begin % 8, 0U);
  EXPECT_THAT(message_of<InputError>([&] { file.read("other"); }), HasSubstr("a.safetensors: tensor 'other'"));
}

TEST(Safetensors, reads_what_another_writer_wrote) {
  const SafetensorsFolder folder(golden_folder("tiny-top-r"));
  EXPECT_EQ(folder.tensors().size(), 21U);
  EXPECT_THAT(folder.entry("model.layers.1.mlp.down_proj.weight").shape, ElementsAre(48, 100));
  for (const float value : folder.read("model.norm.weight")) EXPECT_EQ(value, 1.0F);
  double squares = 0;
  const std::vector<float> head = folder.read("lm_head.weight");
  for (const float value : head) squares += static_cast<double>(value) * static_cast<double>(value);
  // Drawn with deviation 0.08; the mean of 4656 squares has a relative deviation of 0.021.
  EXPECT_NEAR(squares / static_cast<double>(head.size()), 0.0064, 0.0064 * 6 * 0.021);
}

TEST(Safetensors, widens_every_half_and_bfloat16) {
  const TemporaryFolder folder;
  std::vector<std::uint16_t> bits(65'536);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i);
  write_file(folder / "a", raw_file(R"({"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]},)"
                                    R"("b":{"dtype":"BF16","shape":[256,256],"data_offsets":[131072,262144]}})",
                                    bytes_of(bits) + bytes_of(bits)));
  const SafetensorsFile file(folder / "a");
  const std::vector<float> half = file.read("h");
  const std::vector<float> bfloat = file.read("b");
  for (std::size_t i = 0; i < bits.size(); ++i) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(half[i]), std::bit_cast<std::uint32_t>(widen_float16(bits[i]))) << i;
    EXPECT_EQ(std::bit_cast<std::uint32_t>(bfloat[i]), i << 16) << i;
  }
}

TEST(Safetensors, rounds_doubles) {
  const TemporaryFolder folder;
  write_file(folder / "a", raw_file(R"({"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})",
                                    bytes_of(std::vector<double>{1.0 / 3.0, -2})));
  EXPECT_THAT(SafetensorsFile(folder / "a").read("d"), ElementsAre(1.0F / 3.0F, -2.0F));
}

std::string error_of(const std::string& header, std::size_t data_bytes = 8) {
  const TemporaryFolder folder;
  write_file(folder / "a", raw_file(header, std::string(data_bytes, 'x')));
  return message_of<InputError>([&] { SafetensorsFile{folder / "a"}; });
}

TEST(Safetensors, names_what_is_wrong_in_a_header) {
  const auto tensor = [](const std::string& fields) { return "{\"t\":{" + fields + "}}"; };
  EXPECT_EQ(error_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])")), "no exception");
  EXPECT_THAT(error_of("{"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of("[1]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(error_of(R"({"t":3})"), HasSubstr("tensor 't' is not described"));
  EXPECT_THAT(error_of(tensor(R"("shape":[2],"data_offsets":[0,8])")), HasSubstr("no dtype"));
  EXPECT_THAT(error_of(tensor(R"("dtype":"I64","shape":[1],"data_offsets":[0,8])")), HasSubstr("dtype I64"));
  EXPECT_THAT(error_of(tensor(R"("dtype":"F32","data_offsets":[0,8])")), HasSubstr("no shape"));
  for (const char* shape :
       {"[-2]", "[2.0]", "[\"2\"]", "[18446744073709551615]", "[4294967296,4294967296]", "[4294967296,0,4294967296]"}) {
    EXPECT_THAT(error_of(tensor(R"("dtype":"F32","data_offsets":[0,8],"shape":)" + std::string(shape))),
                HasSubstr("impossible shape"))
        << shape;
  }
  EXPECT_THAT(error_of(tensor(R"("dtype":"F32","shape":[2])")), HasSubstr("no data_offsets"));
  for (const char* offsets : {"[0,9]", "[8,0]", "[-8,0]", "[0,8.0]", "[0,18446744073709551615]"}) {
    EXPECT_THAT(error_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":)" + std::string(offsets))),
                HasSubstr("data_offsets outside the 8 bytes"))
        << offsets;
  }
  EXPECT_THAT(error_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])")), HasSubstr("has 4 bytes"));
  EXPECT_THAT(error_of(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])")), HasSubstr("4 bytes belong to no"));
  EXPECT_THAT(error_of(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])")), HasSubstr("gaps or overlap"));
  EXPECT_THAT(error_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})"),
              HasSubstr("gaps or overlap"));
  EXPECT_THAT(error_of("{}", 4), HasSubstr("4 bytes belong to no tensor"));
}

TEST(Safetensors, reports_a_truncated_file) {
  const TemporaryFolder folder;
  write_two(folder / "a", random_floats(15));
  const std::string bytes = read_file(folder / "a");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_file(folder / "b", bytes.substr(0, size));
    EXPECT_THAT(message_of<InputError>([&] { SafetensorsFile{folder / "b"}; }), HasSubstr("/b: ")) << size;
  }
  EXPECT_THROW(SafetensorsFile{folder / "none"}, InputError);
  EXPECT_THROW(SafetensorsFile{folder.path()}, InputError);
}

TEST(Safetensors, survives_corrupt_headers) {
  const TemporaryFolder folder;
  write_two(folder / "a", random_floats(15));
  const std::string bytes = read_file(folder / "a");
  const std::size_t header_end = bytes.size() - 31 * sizeof(float);
  std::mt19937 engine(21);
  int refused = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string corrupt = bytes;
    for (int change = 0; change <= round % 3; ++change) {
      const std::size_t place = engine() % header_end;
      if (round % 2 == 0) corrupt[place] = static_cast<char>(engine());
      if (round % 2 == 1) corrupt[place] = "0123456789[]{},:\""[engine() % 17];
    }
    write_file(folder / "b", corrupt);
    try {
      const SafetensorsFile file(folder / "b");
      for (const auto& [name, entry] : file.entries()) EXPECT_EQ(file.read(name).size(), entry.count());
    } catch (const InputError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 2500);
}

void write_shard(const std::filesystem::path& path, const std::string& name, float value) {
  SafetensorsWriter writer(path, {{name, {1}}});
  writer.write(name, std::vector<float>{value});
  writer.commit();
}

TEST(SafetensorsFolder, reads_shards_through_the_index) {
  const TemporaryFolder folder;
  write_shard(folder / "model-1.safetensors", "a", 1);
  write_shard(folder / "model-2.safetensors", "b", 2);
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  write_file(index, R"({"metadata":{},"weight_map":{"a":"model-1.safetensors","b":"model-2.safetensors"}})");
  const SafetensorsFolder shards(folder.path());
  EXPECT_THAT(shards.read("a"), ElementsAre(1));
  EXPECT_THAT(shards.read("b"), ElementsAre(2));
  EXPECT_THROW(shards.read("c"), InputError);

  const auto error = [&](const std::string& text) {
    write_file(index, text);
    return message_of<InputError>([&] { SafetensorsFolder{folder.path()}; });
  };
  EXPECT_THAT(error("{"), HasSubstr("index.json: not a JSON object"));
  EXPECT_THAT(error(R"({"weight_map":[]})"), HasSubstr("weight_map"));
  EXPECT_THAT(error(R"({"weight_map":{"a":1}})"), HasSubstr("'a' does not name a file"));
  EXPECT_THAT(error(R"({"weight_map":{"a":"../model-1.safetensors"}})"), HasSubstr("'a' does not name a file"));
  EXPECT_THAT(error(R"({"weight_map":{"a":"model-3.safetensors"}})"), HasSubstr("model-3.safetensors: cannot open"));
  EXPECT_THAT(error(R"({"weight_map":{"a":"model-2.safetensors"}})"),
              HasSubstr("model-2.safetensors: tensor 'a' is missing"));
  write_shard(folder / "model-2.safetensors", "c", 2);
  EXPECT_THAT(error(R"({"weight_map":{"a":"model-1.safetensors"}})"), "no exception");
  SafetensorsWriter both(folder / "model-1.safetensors", {{"a", {1}}, {"z", {1}}});
  both.write("a", std::vector<float>{1});
  both.write("z", std::vector<float>{1});
  both.commit();
  EXPECT_THAT(error(R"({"weight_map":{"a":"model-1.safetensors"}})"), HasSubstr("tensor 'z' is not the index's"));
}

TEST(SafetensorsFolder, names_a_folder_without_weights) {
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<InputError>([&] { SafetensorsFolder{folder.path()}; }),
              HasSubstr("neither model.safetensors"));
}

TEST(SafetensorsWriter, insists_on_the_declared_tensors_and_leaves_no_half_file) {
  const TemporaryFolder folder;
  {
    SafetensorsWriter writer(folder / "a", {{"a", {2}}, {"b", {2}}});
    EXPECT_THROW(writer.write("b", std::vector<float>(2)), std::invalid_argument);
    EXPECT_THROW(writer.write("a", std::vector<float>(3)), std::invalid_argument);
    writer.write("a", std::vector<float>(2));
    EXPECT_THROW(writer.commit(), std::invalid_argument);
    writer.write("b", std::vector<float>(2));
    EXPECT_THROW(writer.write("b", std::vector<float>(2)), std::invalid_argument);
  }
  EXPECT_EQ(folder.file_count(), 0U);
  EXPECT_THROW(SafetensorsWriter(folder / "none/a", {}), std::runtime_error);
}

TEST(SafetensorsWriter, rounds_to_half_and_bfloat16) {
  const TemporaryFolder folder;
  const std::vector<float> values = random_floats(1001);
  for (const auto& [type, name] : {std::pair(SafetensorsType::f16, "h"), std::pair(SafetensorsType::bf16, "b")}) {
    SafetensorsWriter writer(folder / name, {{"t", {1001}}, {"u", {1}}}, type);
    writer.write("t", values);
    writer.write("u", std::vector<float>{3});
    writer.commit();
    const SafetensorsFile file(folder / name);
    EXPECT_EQ(file.entries().at("t").type, type);
    EXPECT_THAT(file.read("u"), ElementsAre(3));
    const std::vector<float> read = file.read("t");
    // Test_Float16 and Test_BFloat16 show that these are the nearest.
    for (std::size_t i = 0; i < values.size(); ++i)
      EXPECT_EQ(read[i], type == SafetensorsType::f16 ? widen_float16(narrow_float16(values[i]))
                                                      : static_cast<float>(BFloat16(values[i])));
  }
}

TEST(SafetensorsWriter, names_a_tensor_that_a_half_cannot_hold) {
  const TemporaryFolder folder;
  {
    SafetensorsWriter writer(folder / "a", {{"t", {2}}}, SafetensorsType::f16);
    EXPECT_THAT(message_of<InputError>([&] {
                  writer.write("t", std::vector<float>{1, 65'520});
                }),
                HasSubstr("/a: tensor 't' has the value 65520, beyond the largest F16"));
  }
  EXPECT_EQ(folder.file_count(), 0U);
  SafetensorsWriter writer(folder / "b", {{"t", {2}}}, SafetensorsType::bf16);
  EXPECT_NO_THROW(writer.write("t", std::vector<float>{1, 65'520}));
}

}  // namespace
}  // namespace Sward::Test
