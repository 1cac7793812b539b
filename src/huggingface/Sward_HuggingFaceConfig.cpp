#include "Sward_HuggingFaceConfig.hpp"

#include <fmt/core.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "Sward_AtomicFile.hpp"
#include "Sward_InputError.hpp"
#include "Sward_ParseJson.hpp"
#include "Sward_RopeScaling.hpp"

namespace Sward {
namespace {

using Json = nlohmann::json;

/// An object of config.json whose getters name the file and the key when a value is not what it has to be.
/// A key that is null counts as absent, as it does in transformers.
class Section {
 public:
  Section(const Json& object, std::string source, std::string prefix = "")
      : object_(object), source_(std::move(source)), prefix_(std::move(prefix)) {}

  [[noreturn]] void fail(const char* key, const std::string& message) const {
    throw InputError(fmt::format("{}: {}{} {}", source_, prefix_, key, message));
  }

  bool has(const char* key) const { return object_.contains(key) && !object_[key].is_null(); }

  std::int64_t integer(const char* key) const {
    if (!has(key)) fail(key, "is missing");
    const Json& value = object_[key];
    const bool fits = value.is_number_unsigned()
                          ? value.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max()
                          : value.is_number_integer();
    if (!fits) fail(key, fmt::format("is {}, wanted an integer below 2^31", value.dump()));
    return value.get<std::int64_t>();
  }

  double number(const char* key) const {
    if (!object_[key].is_number()) fail(key, fmt::format("is {}, wanted a number", object_[key].dump()));
    return object_[key].get<double>();
  }

  bool boolean(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!object_[key].is_boolean()) fail(key, fmt::format("is {}, wanted true or false", object_[key].dump()));
    return object_[key].get<bool>();
  }

  std::string text(const char* key, const char* otherwise) const {
    if (!has(key)) return otherwise;
    if (!object_[key].is_string()) fail(key, fmt::format("is {}, wanted text", object_[key].dump()));
    return object_[key].get<std::string>();
  }

  Section section(const char* key) const {
    if (!object_[key].is_object()) fail(key, fmt::format("is {}, wanted an object", object_[key].dump()));
    return {object_[key], source_, prefix_ + key + "."};
  }

  std::optional<double> optional_number(const char* key) const {
    return has(key) ? std::optional(number(key)) : std::nullopt;
  }

  double required_number(const char* key) const {
    if (!has(key)) fail(key, "is missing");
    return number(key);
  }

  const Json& value(const char* key) const { return object_[key]; }

 private:
  const Json& object_;
  std::string source_;
  std::string prefix_;
};

/// A kind that is not computed must not pass unnoticed. Files of before transformers 4.43 call it `type`.
RotaryScaling::Kind read_rope_type(const Section& rope) {
  const char* const key = rope.has("rope_type") ? "rope_type" : "type";
  const std::string type = rope.text(key, "default");
  const std::string other = rope.text("type", type.c_str());
  if (other != type) rope.fail("type", fmt::format("is '{}', but rope_type is '{}'", other, type));
  const auto kind = find_rope_type(type);
  if (!kind) rope.fail(key, fmt::format("is '{}', wanted 'default', 'linear' or 'llama3'", type));
  return *kind;
}

RotaryScaling read_scaling(const Section& rope) {
  RotaryScaling scaling;
  scaling.kind = read_rope_type(rope);
  if (scaling.kind == RotaryScaling::Kind::none) return scaling;
  scaling.factor = rope.required_number("factor");
  if (scaling.kind == RotaryScaling::Kind::linear) return scaling;
  scaling.low_freq_factor = rope.required_number("low_freq_factor");
  scaling.high_freq_factor = rope.required_number("high_freq_factor");
  scaling.original_max_position_embeddings = rope.integer("original_max_position_embeddings");
  return scaling;
}

void require_whole_rotation(const Section& section) {
  const double factor = section.optional_number("partial_rotary_factor").value_or(1);
  if (factor != 1) section.fail("partial_rotary_factor", fmt::format("is {}, wanted 1", factor));
}

struct Rope {
  double theta;
  RotaryScaling scaling;
};

/// Where both are given, transformers takes the outer one, silently.
void require_one_context(const Section& config, const RotaryScaling& scaling) {
  const char* const key = "original_max_position_embeddings";
  if (scaling.kind != RotaryScaling::Kind::llama3 || !config.has(key)) return;
  if (config.integer(key) == scaling.original_max_position_embeddings) return;
  config.fail(key, fmt::format("is {}, but that of the rotary settings is {}", config.integer(key),
                               scaling.original_max_position_embeddings));
}

/// Of rope_parameters (transformers 5), or of rope_theta and rope_scaling; both may stand in a file that agrees.
Rope read_rope(const Section& config) {
  std::optional<double> theta = config.optional_number("rope_theta");
  std::optional<RotaryScaling> scaling;
  require_whole_rotation(config);
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    if (!config.has(key)) continue;
    const Section rope = config.section(key);
    for (const auto& [name, value] : config.value(key).items()) {
      if (value.is_object()) rope.fail(name.c_str(), "sets rotary embeddings by kind of layer, which is not supported");
    }
    require_whole_rotation(rope);
    const RotaryScaling read = read_scaling(rope);
    if (scaling && *scaling != read) {
      config.fail(key, fmt::format("is {}, but rope_parameters is {}", to_text(read), to_text(*scaling)));
    }
    require_one_context(config, read);
    scaling = read;
    const std::optional<double> inner = rope.optional_number("rope_theta");
    if (theta && inner && *theta != *inner) {
      rope.fail("rope_theta", fmt::format("is {}, but another rope_theta of the file is {}", *inner, *theta));
    }
    if (inner) theta = inner;
  }
  return {theta.value_or(LlamaShape{}.rope_theta), scaling.value_or(RotaryScaling{})};
}

bool is_mistral(const Section& config) {
  const std::string type = config.text("model_type", "");
  if (type != "llama" && type != "mistral") {
    config.fail("model_type", fmt::format("is '{}', wanted 'llama' or 'mistral'", type));
  }
  return type == "mistral";
}

void require_architecture(const Section& config) {
  if (!config.has("architectures")) return;
  const Json& list = config.value("architectures");
  if (list == Json::array({"LlamaForCausalLM"}) || list == Json::array({"MistralForCausalLM"})) return;
  config.fail("architectures", fmt::format("is {}, wanted LlamaForCausalLM or MistralForCausalLM", list.dump()));
}

void require_no_sliding_window(const Section& config, bool mistral, bool written) {
  if (!config.boolean("use_sliding_window", true)) return;
  if (config.has("sliding_window")) config.fail("sliding_window", "is in use, which is not supported");
  // Mistral's class has a window of 4096 unless the file says null.
  if (mistral && !written) config.fail("sliding_window", "is missing, which means a window; null means none");
}

void require_plain_layers(const Section& config) {
  for (const char* key : {"attention_bias", "mlp_bias"}) {
    if (config.boolean(key, false)) config.fail(key, "is true; biases are not supported");
  }
  const std::string activation = config.text("hidden_act", "silu");
  if (activation != "silu") config.fail("hidden_act", fmt::format("is '{}', wanted 'silu'", activation));
  if (config.has("quantization_config")) config.fail("quantization_config", "is set; quantized weights are not read");
}

Json scaling_object(const RotaryScaling& scaling) {
  Json object = {{"rope_type", rope_type_name(scaling.kind)}};
  if (scaling.kind == RotaryScaling::Kind::none) return object;
  object["factor"] = scaling.factor;
  if (scaling.kind == RotaryScaling::Kind::linear) return object;
  object["low_freq_factor"] = scaling.low_freq_factor;
  object["high_freq_factor"] = scaling.high_freq_factor;
  object["original_max_position_embeddings"] = scaling.original_max_position_embeddings;
  return object;
}

Json parse_file(const std::filesystem::path& path) {
  std::ifstream stream(path);
  if (!stream) throw InputError(fmt::format("{}: cannot open this file", path.string()));
  Json json = parse_json(stream);
  if (!json.is_object()) throw InputError(fmt::format("{}: not a JSON object", path.string()));
  return json;
}

}  // namespace

LlamaShape read_huggingface_config(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "config.json";
  const Json json = parse_file(path);
  const Section config(json, path.string());
  const bool mistral = is_mistral(config);
  require_architecture(config);
  require_no_sliding_window(config, mistral, json.contains("sliding_window"));
  require_plain_layers(config);

  LlamaShape shape;
  shape.hidden_size = config.integer("hidden_size");
  shape.intermediate_size = config.integer("intermediate_size");
  shape.num_heads = config.integer("num_attention_heads");
  shape.num_key_value_heads =
      config.has("num_key_value_heads") || mistral ? config.integer("num_key_value_heads") : shape.num_heads;
  shape.num_layers = config.integer("num_hidden_layers");
  shape.vocab_size = config.integer("vocab_size");
  shape.tie_embeddings = config.boolean("tie_word_embeddings", shape.tie_embeddings);
  shape.rms_norm_eps = config.optional_number("rms_norm_eps").value_or(shape.rms_norm_eps);
  const Rope rope = read_rope(config);
  shape.rope_theta = rope.theta;
  shape.rope_scaling = rope.scaling;
  check(shape, path.string());
  if (config.has("head_dim") && config.integer("head_dim") != shape.head_size()) {
    config.fail("head_dim", fmt::format("is {}, wanted hidden_size / num_attention_heads = {}",
                                        config.integer("head_dim"), shape.head_size()));
  }
  return shape;
}

void write_huggingface_config(const std::filesystem::path& folder, const LlamaShape& shape,
                              std::int64_t max_position_embeddings, const std::string& dtype) {
  const Json scaling = scaling_object(shape.rope_scaling);
  Json parameters = scaling;
  parameters["rope_theta"] = shape.rope_theta;
  const nlohmann::ordered_json config = {
      {"architectures", {"LlamaForCausalLM"}},
      {"model_type", "llama"},
      {"hidden_act", "silu"},
      {"hidden_size", shape.hidden_size},
      {"intermediate_size", shape.intermediate_size},
      {"num_attention_heads", shape.num_heads},
      {"num_key_value_heads", shape.num_key_value_heads},
      {"head_dim", shape.head_size()},
      {"num_hidden_layers", shape.num_layers},
      {"vocab_size", shape.vocab_size},
      {"max_position_embeddings", max_position_embeddings},
      {"rms_norm_eps", shape.rms_norm_eps},
      {"rope_theta", shape.rope_theta},
      {"rope_scaling", shape.rope_scaling == RotaryScaling{} ? Json(nullptr) : scaling},
      {"rope_parameters", parameters},
      {"tie_word_embeddings", shape.tie_embeddings},
      {"attention_bias", false},
      {"mlp_bias", false},
      {"bos_token_id", nullptr},
      {"eos_token_id", nullptr},
      {"torch_dtype", dtype},
  };
  AtomicFile file(folder / "config.json");
  std::ofstream stream(file.temporary());
  stream << config.dump(2) << '\n';
  stream.close();
  if (!stream) throw std::runtime_error(fmt::format("{}: cannot write to it", file.target().string()));
  file.commit();
}

}  // namespace Sward
