#include "Sward_CheckpointFile.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <span>

#include "Sward_InputError.hpp"
#include "Sward_RopeScaling.hpp"

namespace Sward {

namespace {

/// Nothing is written where there is no scaling, which is how files from before there was any say so too.
void write_rope_scaling(Hdf5File& file, const RotaryScaling& scaling) {
  if (scaling.kind == RotaryScaling::Kind::none) return;
  file.write_attribute("/model", "rope_type", std::string_view(rope_type_name(scaling.kind)));
  file.write_attribute("/model", "rope_factor", scaling.factor);
  if (scaling.kind == RotaryScaling::Kind::linear) return;
  file.write_attribute("/model", "rope_low_freq_factor", scaling.low_freq_factor);
  file.write_attribute("/model", "rope_high_freq_factor", scaling.high_freq_factor);
  file.write_attribute("/model", "rope_original_max_position_embeddings", scaling.original_max_position_embeddings);
}

RotaryScaling read_rope_scaling(const Hdf5File& file) {
  RotaryScaling scaling;
  if (!file.has_attribute("/model", "rope_type")) return scaling;
  const auto type = file.attribute<std::string>("/model", "rope_type");
  const auto kind = find_rope_type(type);
  if (!kind) file.fail("/model", "rope_type is '" + type + "', wanted 'default', 'linear' or 'llama3'");
  scaling.kind = *kind;
  if (scaling.kind == RotaryScaling::Kind::none) return scaling;
  scaling.factor = file.attribute<double>("/model", "rope_factor");
  if (scaling.kind == RotaryScaling::Kind::linear) return scaling;
  scaling.low_freq_factor = file.attribute<double>("/model", "rope_low_freq_factor");
  scaling.high_freq_factor = file.attribute<double>("/model", "rope_high_freq_factor");
  scaling.original_max_position_embeddings =
      file.attribute<std::int64_t>("/model", "rope_original_max_position_embeddings");
  return scaling;
}

void write_shape(Hdf5File& file, const LlamaShape& shape) {
  file.create_group("/model");
  file.write_attribute("/model", "hidden_size", shape.hidden_size);
  file.write_attribute("/model", "intermediate_size", shape.intermediate_size);
  file.write_attribute("/model", "num_heads", shape.num_heads);
  file.write_attribute("/model", "num_key_value_heads", shape.num_key_value_heads);
  file.write_attribute("/model", "num_layers", shape.num_layers);
  file.write_attribute("/model", "vocab_size", shape.vocab_size);
  file.write_attribute("/model", "tie_embeddings", std::int64_t(shape.tie_embeddings));
  file.write_attribute("/model", "rms_norm_eps", shape.rms_norm_eps);
  file.write_attribute("/model", "rope_theta", shape.rope_theta);
  write_rope_scaling(file, shape.rope_scaling);
}

LlamaShape read_shape(const Hdf5File& file) {
  const auto integer = [&](const char* name) { return file.attribute<std::int64_t>("/model", name); };
  LlamaShape shape;
  shape.hidden_size = integer("hidden_size");
  shape.intermediate_size = integer("intermediate_size");
  shape.num_heads = integer("num_heads");
  shape.num_key_value_heads = integer("num_key_value_heads");
  shape.num_layers = integer("num_layers");
  shape.vocab_size = integer("vocab_size");
  shape.tie_embeddings = integer("tie_embeddings") != 0;
  shape.rms_norm_eps = file.attribute<double>("/model", "rms_norm_eps");
  shape.rope_theta = file.attribute<double>("/model", "rope_theta");
  shape.rope_scaling = read_rope_scaling(file);
  check(shape, file.path().string());
  return shape;
}

const std::string prefix = "checkpoint-";
const std::string suffix = ".h5";

/// checkpoint-NNNNNNNN.h5, with 8 to 18 digits.
bool is_checkpoint_name(const std::string& name) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return false;
  if (name.size() < prefix.size() + 8 + suffix.size() || name.size() > prefix.size() + 18 + suffix.size()) return false;
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  return digits.find_first_not_of("0123456789") == std::string::npos;
}

CheckpointHeader read_header(const Hdf5File& file) {
  if (!file.exists("/weights") || !file.exists("/model") || !file.has_attribute("/", "format_version"))
    throw InputError(file.path().string() + ": is not a checkpoint");
  const auto version = file.attribute<std::int64_t>("/", "format_version");
  if (version != CheckpointFile::format_version)
    throw InputError(file.path().string() + ": format_version is " + std::to_string(version) + ", wanted " +
                     std::to_string(CheckpointFile::format_version));
  CheckpointHeader header;
  header.step = file.attribute<std::int64_t>("/", "step");
  if (header.step < 0)
    throw InputError(file.path().string() + ": step is " + std::to_string(header.step) + ", wanted 0 or more");
  header.seed = file.attribute<std::uint64_t>("/", "seed");
  header.sequence_length = file.attribute<std::int64_t>("/", "sequence_length");
  header.sequences = file.attribute<std::int64_t>("/", "sequences");
  header.configuration = file.attribute<std::string>("/", "configuration");
  header.shape = read_shape(file);
  return header;
}

}  // namespace

Hdf5File create_checkpoint(const std::filesystem::path& path, const CheckpointHeader& header) {
  Hdf5File file = Hdf5File::create(path);
  file.write_attribute("/", "format_version", CheckpointFile::format_version);
  file.write_attribute("/", "step", header.step);
  file.write_attribute("/", "seed", header.seed);
  file.write_attribute("/", "sequence_length", header.sequence_length);
  file.write_attribute("/", "sequences", header.sequences);
  file.write_attribute("/", "configuration", std::string_view(header.configuration));
  write_shape(file, header.shape);
  return file;
}

CheckpointFile::CheckpointFile(const std::filesystem::path& path)
    : file_(Hdf5File::open_read(path)), header_(read_header(file_)), parameters_(list_parameters(header_.shape)) {}

std::vector<float> CheckpointFile::read_weight(const ParameterInfo& parameter) const {
  const std::string name = "/weights/" + parameter.name;
  if (!file_.exists(name) || !file_.is_bfloat16(name)) return file_.read<float>(name, file_extents(parameter));
  // HDF5's own conversion takes several times as long as reading.
  const std::vector<Hdf5BFloat16> stored = file_.read<Hdf5BFloat16>(name, file_extents(parameter));
  std::vector<float> values(stored.size());
  std::transform(stored.begin(), stored.end(), values.begin(),
                 [](Hdf5BFloat16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); });
  return values;
}

void verify_checkpoint(const CheckpointFile& checkpoint, int part, int parts) {
  const Hdf5File& file = checkpoint.file();
  const std::vector<ParameterInfo>& parameters = checkpoint.parameters();
  for (auto i = static_cast<std::size_t>(part); i < parameters.size(); i += static_cast<std::size_t>(parts)) {
    file.verify("/weights/" + parameters[i].name);
    if (!checkpoint.has_optimizer()) continue;
    const std::string group = "/optimizer/" + parameters[i].name;
    for (const std::string& name : file.names(group)) file.verify(group + "/" + name);
  }
}

std::string CheckpointFile::tokenizer_model() const {
  if (!file_.exists("/tokenizer_model")) return {};
  const std::vector<std::uint8_t> bytes = file_.read<std::uint8_t>("/tokenizer_model");
  return {bytes.begin(), bytes.end()};
}

std::vector<std::size_t> file_extents(const ParameterInfo& parameter) {
  const auto columns = static_cast<std::size_t>(parameter.columns);
  if (parameter.kind == ParameterKind::norm) return {columns};
  return {static_cast<std::size_t>(parameter.rows), columns};
}

std::filesystem::path checkpoint_path(const std::filesystem::path& directory, std::int64_t step) {
  char name[64];
  std::snprintf(name, sizeof name, "checkpoint-%08lld.h5", static_cast<long long>(step));
  return directory / name;
}

std::int64_t checkpoint_step(const std::filesystem::path& path) {
  return std::stoll(path.filename().string().substr(prefix.size()));
}

std::vector<std::filesystem::path> list_checkpoints(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::is_directory(directory)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (is_checkpoint_name(entry.path().filename().string())) found.push_back(entry.path());
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return checkpoint_step(a) > checkpoint_step(b); });
  return found;
}

}  // namespace Sward
