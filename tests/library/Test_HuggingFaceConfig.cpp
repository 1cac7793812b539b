#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_InputError.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

Json plain() {
  return {{"model_type", "llama"},    {"hidden_size", 48},      {"intermediate_size", 100},
          {"num_attention_heads", 4}, {"num_hidden_layers", 3}, {"vocab_size", 97},
          {"num_key_value_heads", 2}, {"rms_norm_eps", 1e-5},   {"tie_word_embeddings", true}};
}

LlamaShape read(const Json& config) {
  const TemporaryFolder folder;
  write_file(folder / "config.json", config.dump());
  return read_huggingface_config(folder.path());
}

std::string error_of(const Json& config) {
  return message_of<InputError>([&] { read(config); });
}

std::string error_with(const Json& changes) {
  Json config = plain();
  config.update(changes);
  return error_of(config);
}

RotaryScaling scaling_with(const Json& changes) {
  Json config = plain();
  config.update(changes);
  return read(config).rope_scaling;
}

constexpr RotaryScaling linear{RotaryScaling::Kind::linear, 2};
constexpr RotaryScaling llama3{RotaryScaling::Kind::llama3, 8, 1, 4, 8192};

Json llama3_object() {
  return {{"rope_type", "llama3"},
          {"factor", 8.0},
          {"low_freq_factor", 1.0},
          {"high_freq_factor", 4.0},
          {"original_max_position_embeddings", 8192}};
}

double theta_with(const Json& changes) {
  Json config = plain();
  config.update(changes);
  return read(config).rope_theta;
}

TEST(HuggingFaceConfig, reads_what_transformers_5_wrote) {
  const LlamaShape shape = read_huggingface_config(golden_folder("tiny-top-r"));
  EXPECT_EQ(shape, (LlamaShape{48, 100, 4, 4, 2, 97, false, 1e-6, 10000}));
}

TEST(HuggingFaceConfig, reads_every_key_and_the_defaults) {
  EXPECT_EQ(read(plain()), (LlamaShape{48, 100, 4, 2, 3, 97, true, 1e-5, 10000}));
  Json config = plain();
  for (const char* key : {"num_key_value_heads", "rms_norm_eps", "tie_word_embeddings"}) config.erase(key);
  EXPECT_EQ(read(config), (LlamaShape{48, 100, 4, 4, 3, 97, false, 1e-6, 10000}));
  for (const char* key : {"num_key_value_heads", "rms_norm_eps", "tie_word_embeddings", "rope_scaling"}) {
    config[key] = nullptr;
  }
  EXPECT_EQ(read(config), (LlamaShape{48, 100, 4, 4, 3, 97, false, 1e-6, 10000}));
}

TEST(HuggingFaceConfig, reads_both_forms_of_rotary_settings) {
  EXPECT_EQ(theta_with({{"rope_theta", 500000}, {"rope_scaling", nullptr}}), 500000);
  EXPECT_EQ(theta_with({{"rope_theta", 5e5}, {"rope_scaling", {{"type", "default"}}}}), 500000);
  EXPECT_EQ(theta_with({{"rope_parameters", {{"rope_theta", 2e4}, {"rope_type", "default"}}}}), 20000);
  EXPECT_EQ(theta_with({{"rope_parameters", {{"rope_theta", 2e4}}}}), 20000);
  EXPECT_EQ(theta_with({{"rope_theta", 2e4}, {"rope_parameters", {{"rope_type", "default"}}}}), 20000);
  EXPECT_EQ(theta_with({{"rope_theta", 20000}, {"rope_parameters", {{"rope_theta", 20000.0}}}}), 20000);
}

TEST(HuggingFaceConfig, refuses_rotary_settings_that_conflict_or_are_not_supported) {
  EXPECT_THAT(
      error_with({{"rope_theta", 1e4}, {"rope_parameters", {{"rope_theta", 2e4}}}}),
      HasSubstr("config.json: rope_parameters.rope_theta is 20000, but another rope_theta of the file is 10000"));
  for (const char* type : {"dynamic", "yarn", "longrope", "mrope"}) {
    EXPECT_THAT(
        error_with({{"rope_scaling", {{"type", type}, {"factor", 2}}}}),
        HasSubstr(std::string("config.json: rope_scaling.type is '") + type + "', wanted 'default', 'linear' or"));
    EXPECT_THAT(error_with({{"rope_parameters", {{"rope_theta", 1e4}, {"rope_type", type}}}}),
                HasSubstr(std::string("rope_parameters.rope_type is '") + type + "'"));
  }
  EXPECT_THAT(error_with({{"rope_parameters", {{"full_attention", {{"rope_theta", 1e4}}}}}}),
              HasSubstr("rope_parameters.full_attention sets"));
  EXPECT_THAT(error_with({{"rope_parameters", 4}}), HasSubstr("rope_parameters is 4, wanted an object"));
  EXPECT_THAT(error_with({{"rope_theta", "10000"}}), HasSubstr("rope_theta is \"10000\", wanted a number"));
  EXPECT_THAT(error_with({{"rope_theta", -1}}), HasSubstr("rope_theta is -1"));
  EXPECT_THAT(error_with({{"partial_rotary_factor", 0.5}}), HasSubstr("partial_rotary_factor is 0.5"));
  EXPECT_THAT(error_with({{"rope_parameters", {{"partial_rotary_factor", 0.5}}}}),
              HasSubstr("rope_parameters.partial_rotary_factor is 0.5"));
}

TEST(HuggingFaceConfig, reads_scaled_rotary_settings_in_both_forms) {
  EXPECT_EQ(scaling_with({{"rope_scaling", nullptr}}), RotaryScaling{});
  EXPECT_EQ(scaling_with({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}}}), linear);
  EXPECT_EQ(scaling_with({{"rope_scaling", {{"type", "linear"}, {"rope_type", "linear"}, {"factor", 2.0}}}}), linear);
  EXPECT_EQ(scaling_with({{"rope_parameters", {{"rope_type", "linear"}, {"rope_theta", 1e4}, {"factor", 2.0}}}}),
            linear);
  EXPECT_EQ(scaling_with({{"rope_theta", 5e5}, {"rope_scaling", llama3_object()}}), llama3);
  EXPECT_EQ(scaling_with({{"rope_theta", 5e5}, {"rope_parameters", llama3_object()}}), llama3);
  EXPECT_EQ(scaling_with({{"rope_parameters", llama3_object()}, {"rope_scaling", llama3_object()}}), llama3);
  EXPECT_EQ(scaling_with({{"rope_scaling", llama3_object()}, {"original_max_position_embeddings", 8192}}), llama3);
}

TEST(HuggingFaceConfig, refuses_scalings_that_conflict_or_cannot_be) {
  const auto without = [](const char* key) {
    Json object = llama3_object();
    object.erase(key);
    return object;
  };
  const auto with = [](const char* key, const Json& value) {
    Json object = llama3_object();
    object[key] = value;
    return object;
  };
  for (const char* key : {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    EXPECT_THAT(error_with({{"rope_scaling", without(key)}}),
                HasSubstr(std::string("config.json: rope_scaling.") + key + " is missing"));
    EXPECT_THAT(error_with({{"rope_parameters", with(key, "8")}}),
                HasSubstr(std::string("config.json: rope_parameters.") + key + " is \"8\", wanted"));
    EXPECT_THAT(error_with({{"rope_scaling", with(key, -1)}}),
                HasSubstr(std::string("config.json: rope_scaling: ") + key + " is -1"));
  }
  EXPECT_THAT(error_with({{"rope_scaling", with("type", "linear")}}),
              HasSubstr("rope_scaling.type is 'linear', but rope_type is 'llama3'"));
  EXPECT_THAT(error_with({{"rope_parameters", llama3_object()}, {"rope_scaling", with("factor", 4)}}),
              HasSubstr("config.json: rope_scaling is {rope_type = \"llama3\", factor = 4, "));
  EXPECT_THAT(error_with({{"rope_parameters", {{"rope_type", "default"}}}, {"rope_scaling", llama3_object()}}),
              HasSubstr("but rope_parameters is none"));
  EXPECT_THAT(error_with({{"rope_scaling", llama3_object()}, {"original_max_position_embeddings", 4096}}),
              HasSubstr("original_max_position_embeddings is 4096, but that of the rotary settings is 8192"));
}

TEST(HuggingFaceConfig, passes_over_what_does_not_change_the_model) {
  for (const Json& end : {Json(2), Json::array({128001, 128008, 128009}), Json(nullptr)}) {
    EXPECT_EQ(error_with({{"bos_token_id", 128000}, {"eos_token_id", end}}), "no exception");
  }
  EXPECT_EQ(error_with({{"torch_dtype", "bfloat16"}, {"pad_token_id", nullptr}}), "no exception");
  EXPECT_EQ(error_with({{"dtype", "float16"}, {"attention_dropout", 0.0}, {"pretraining_tp", 1}}), "no exception");
}

TEST(HuggingFaceConfig, refuses_other_models_and_names_the_key) {
  EXPECT_THAT(error_with({{"model_type", "gpt2"}}), HasSubstr("config.json: model_type is 'gpt2'"));
  EXPECT_THAT(error_with({{"model_type", nullptr}}), HasSubstr("model_type is ''"));
  EXPECT_THAT(error_with({{"architectures", {"LlamaForSequenceClassification"}}}), HasSubstr("architectures is"));
  EXPECT_EQ(error_with({{"architectures", {"LlamaForCausalLM"}}}), "no exception");
  EXPECT_THAT(error_with({{"attention_bias", true}}), HasSubstr("attention_bias is true"));
  EXPECT_THAT(error_with({{"mlp_bias", true}}), HasSubstr("mlp_bias is true"));
  EXPECT_THAT(error_with({{"hidden_act", "gelu"}}), HasSubstr("hidden_act is 'gelu'"));
  EXPECT_THAT(error_with({{"head_dim", 16}}), HasSubstr("head_dim is 16, wanted hidden_size"));
  EXPECT_EQ(error_with({{"head_dim", 12}}), "no exception");
  EXPECT_THAT(error_with({{"sliding_window", 4096}}), HasSubstr("sliding_window is in use"));
  EXPECT_EQ(error_with({{"sliding_window", 4096}, {"use_sliding_window", false}}), "no exception");
  EXPECT_THAT(error_with({{"quantization_config", {{"bits", 4}}}}), HasSubstr("quantization_config is set"));
}

TEST(HuggingFaceConfig, reads_mistral_only_without_a_window) {
  EXPECT_EQ(error_with({{"model_type", "mistral"}, {"sliding_window", nullptr}}), "no exception");
  EXPECT_THAT(error_with({{"model_type", "mistral"}, {"sliding_window", 4096}}), HasSubstr("sliding_window is in use"));
  EXPECT_THAT(error_with({{"model_type", "mistral"}}), HasSubstr("sliding_window is missing"));
  EXPECT_THAT(error_with({{"model_type", "mistral"}, {"sliding_window", nullptr}, {"num_key_value_heads", nullptr}}),
              HasSubstr("num_key_value_heads is missing"));
}

TEST(HuggingFaceConfig, names_missing_and_impossible_values) {
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers", "vocab_size"}) {
    Json config = plain();
    config.erase(key);
    EXPECT_THAT(error_of(config), HasSubstr(std::string("config.json: ") + key + " is missing"));
    for (const Json& bad : {Json("48"), Json(48.5), Json(true), Json(std::uint64_t{1} << 63)}) {
      config[key] = bad;
      EXPECT_THAT(error_of(config), HasSubstr(std::string(key) + " is " + bad.dump() + ", wanted an integer"));
    }
    config[key] = -3;
    EXPECT_THAT(error_of(config), HasSubstr("is -3, wanted 1 to"));
  }
  EXPECT_THAT(error_with({{"num_attention_heads", 5}}), HasSubstr("config.json: hidden_size is 48, which is not"));
  EXPECT_THAT(error_with({{"tie_word_embeddings", 1}}), HasSubstr("tie_word_embeddings is 1, wanted true or false"));
  EXPECT_THAT(error_of(Json::array({1})), HasSubstr("config.json: not a JSON object"));
  const TemporaryFolder folder;
  EXPECT_THAT(message_of<InputError>([&] { read_huggingface_config(folder.path()); }),
              HasSubstr("config.json: cannot"));
  write_file(folder / "config.json", "{\"model_type\":");
  EXPECT_THROW(read_huggingface_config(folder.path()), InputError);
  write_file(folder / "config.json", "{\"hidden_size\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}");
  EXPECT_THAT(message_of<InputError>([&] { read_huggingface_config(folder.path()); }),
              HasSubstr("config.json: not a JSON object"));
}

TEST(HuggingFaceConfig, round_trips) {
  const TemporaryFolder folder;
  for (const LlamaShape& shape : {LlamaShape{48, 100, 4, 2, 3, 97, true, 1e-5, 500000},
                                  LlamaShape{48, 100, 4, 2, 3, 97, true, 1e-5, 500000, linear},
                                  LlamaShape{48, 100, 4, 2, 3, 97, true, 1e-5, 500000, llama3},
                                  LlamaShape{512, 1376, 8, 8, 8, 32000, false, 1.0 / 3e5, 12345.678}}) {
    write_huggingface_config(folder.path(), shape);
    EXPECT_EQ(read_huggingface_config(folder.path()), shape);
    EXPECT_EQ(folder.file_count(), 1U);
  }
}

TEST(HuggingFaceConfig, writes_both_forms_of_rotary_settings) {
  const TemporaryFolder folder;
  write_huggingface_config(folder.path(), {48, 100, 4, 2, 3, 97, true, 1e-5, 500000}, 256);
  const Json config = Json::parse(read_file(folder / "config.json"));
  EXPECT_EQ(config["rope_theta"], 500000);
  EXPECT_EQ(config["rope_parameters"]["rope_theta"], 500000);
  EXPECT_EQ(config["rope_parameters"]["rope_type"], "default");
  EXPECT_TRUE(config["rope_scaling"].is_null());
  EXPECT_EQ(config["max_position_embeddings"], 256);
  EXPECT_EQ(config["architectures"], Json::array({"LlamaForCausalLM"}));
  EXPECT_EQ(config["torch_dtype"], "float32");
}

TEST(HuggingFaceConfig, writes_scaling_in_both_forms) {
  const TemporaryFolder folder;
  write_huggingface_config(folder.path(), {48, 100, 4, 2, 3, 97, true, 1e-5, 500000, llama3}, 256, "bfloat16");
  const Json config = Json::parse(read_file(folder / "config.json"));
  EXPECT_EQ(config["rope_scaling"], llama3_object());
  Json parameters = llama3_object();
  parameters["rope_theta"] = 500000.0;
  EXPECT_EQ(config["rope_parameters"], parameters);
  EXPECT_EQ(config["rope_theta"], 500000.0);
  EXPECT_EQ(config["torch_dtype"], "bfloat16");
}

}  // namespace
}  // namespace Sward::Test
