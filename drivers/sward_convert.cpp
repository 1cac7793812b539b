#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <span>

#include "Sward_AtomicFile.hpp"
#include "Sward_CheckpointFile.hpp"
#include "Sward_CommandLine.hpp"
#include "Sward_FileName.hpp"
#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_InputError.hpp"
#include "Sward_Program.hpp"
#include "Sward_SafetensorsFolderWriter.hpp"
#include "Sward_TrainingState.hpp"

namespace {

namespace fs = std::filesystem;

struct WeightType {
  Sward::SafetensorsType type;
  const char* torch_name;
};

const std::map<std::string, WeightType> weight_types{{"float", {Sward::SafetensorsType::f32, "float32"}},
                                                     {"bfloat16", {Sward::SafetensorsType::bf16, "bfloat16"}},
                                                     {"half", {Sward::SafetensorsType::f16, "float16"}}};

struct Arguments {
  fs::path from;
  fs::path to;
  bool force = false;
  std::string dtype = "float";
  std::uint64_t shard_bytes = 5'000'000'000;
};

void folder_to_checkpoint(const fs::path& from, const fs::path& to) {
  const Sward::HuggingFaceFolder folder(from);
  const std::string tokenizer = Sward::read_initial_tokenizer_model(from);
  Sward::CheckpointHeader header;
  header.shape = folder.shape();
  Sward::AtomicFile atomic(to);
  Sward::Hdf5File file = Sward::create_checkpoint(atomic.temporary(), header);
  for (const Sward::ParameterInfo& parameter : folder.parameters()) {
    const std::vector<float> values = folder.read(parameter.name);
    file.write("/weights/" + parameter.name, std::span<const float>(values), Sward::file_extents(parameter));
  }
  if (!tokenizer.empty()) {
    const std::vector<std::uint8_t> bytes(tokenizer.begin(), tokenizer.end());
    file.write("/tokenizer_model", std::span<const std::uint8_t>(bytes));
  }
  file.close();
  atomic.commit();
}

void write_weights(const Sward::CheckpointFile& checkpoint, const Arguments& arguments) {
  std::vector<Sward::SafetensorsTensor> tensors;
  for (const Sward::ParameterInfo& parameter : checkpoint.parameters()) {
    const auto extents = Sward::file_extents(parameter);
    tensors.push_back({parameter.name, {extents.begin(), extents.end()}});
  }
  Sward::SafetensorsFolderWriter writer(arguments.to, tensors, weight_types.at(arguments.dtype).type,
                                        arguments.shard_bytes);
  for (const Sward::ParameterInfo& parameter : checkpoint.parameters())
    writer.write(parameter.name, checkpoint.read_weight(parameter));
  writer.commit();
}

void write_tokenizer(const fs::path& path, const std::string& model) {
  Sward::AtomicFile atomic(path);
  std::ofstream stream(atomic.temporary(), std::ios::binary);
  stream.write(model.data(), static_cast<std::streamsize>(model.size()));
  stream.close();
  if (!stream) throw std::runtime_error(path.string() + ": cannot write to it");
  atomic.commit();
}

void require_new_checkpoint(const fs::path& to, bool force) {
  Sward::require_file_name(to);
  if (fs::is_directory(to)) throw Sward::InputError(to.string() + ": is a folder, wanted a checkpoint's name");
  if (fs::exists(to) && !force) throw Sward::InputError(to.string() + ": exists already; --force writes over it");
  const fs::path folder = to.parent_path();
  if (!folder.empty() && !fs::is_directory(folder))
    throw Sward::InputError(to.string() + ": there is no folder " + folder.string());
}

void require_new_folder(const fs::path& to, bool with_tokenizer, bool force) {
  if (fs::exists(to) && !fs::is_directory(to))
    throw Sward::InputError(to.string() + ": is a file, wanted a folder's name");
  std::vector<fs::path> files = Sward::list_weight_files(to);
  files.push_back(to / "config.json");
  if (with_tokenizer) files.push_back(to / "tokenizer.model");
  for (const fs::path& file : files)
    if (fs::exists(file) && !force) throw Sward::InputError(file.string() + ": exists already; --force writes over it");
}

void checkpoint_to_folder(const Arguments& arguments) {
  const Sward::CheckpointFile checkpoint(arguments.from);
  const std::string tokenizer = checkpoint.tokenizer_model();
  require_new_folder(arguments.to, !tokenizer.empty(), arguments.force);
  fs::create_directories(arguments.to);
  write_weights(checkpoint, arguments);
  if (!tokenizer.empty()) write_tokenizer(arguments.to / "tokenizer.model", tokenizer);
  const std::int64_t length = checkpoint.header().sequence_length;
  Sward::write_huggingface_config(arguments.to, checkpoint.header().shape, length > 0 ? length : 2048,
                                  weight_types.at(arguments.dtype).torch_name);
}

int convert(const Arguments& arguments, bool shapes_a_folder) {
  const fs::path& from = arguments.from;
  if (!fs::exists(from)) throw Sward::InputError(from.string() + ": no such file or folder");
  if (fs::is_directory(from)) {
    if (shapes_a_folder)
      throw Sward::InputError("--dtype and --max-shard-size are of a folder that is written, not of a checkpoint");
    require_new_checkpoint(arguments.to, arguments.force);
    folder_to_checkpoint(from, arguments.to);
  } else {
    checkpoint_to_folder(arguments);
  }
  fmt::print("wrote {}\n", arguments.to.string());
  return Sward::ExitStatus::finished;
}

}  // namespace

int main(int argc, char** argv) {
  // A negative number is read as one beyond this.
  constexpr std::uint64_t largest_shard = std::uint64_t{1} << 62;
  CLI::App app("Converts between a checkpoint and a Hugging Face folder of LlamaForCausalLM.", "sward-convert");
  Arguments arguments;
  app.add_option("from", arguments.from, "a checkpoint (.h5), or a folder with config.json and weights in safetensors")
      ->required();
  app.add_option("to", arguments.to, "what to write: a folder for a checkpoint, a checkpoint for a folder")->required();
  app.add_flag("--force", arguments.force, "write over what is there");
  auto* dtype = app.add_option("--dtype", arguments.dtype, "of a folder's weights: float (default), bfloat16 or half")
                    ->check(CLI::IsMember({"float", "bfloat16", "half"}).description(""));
  auto* shard = app.add_option("--max-shard-size", arguments.shard_bytes,
                               "of each of a folder's files: bytes, or with a unit, as 500MB (default 5GB)")
                    ->transform(CLI::AsSizeValue(true).description(""))
                    ->check(CLI::Range(std::uint64_t{1}, largest_shard).description(""))
                    ->option_text("SIZE");
  app.footer(
      "Weights go over bit for bit, unless --dtype rounds them, and a tokenizer.model goes along; optimizer state\n"
      "stays behind.\nExit status: 0 finished, 2 bad input, 1 failed.");
  const Sward::CommandLine command_line(app, argc, argv);
  if (command_line.shows_help()) return Sward::ExitStatus::finished;
  return Sward::run_program("sward-convert", [&] {
    command_line.require_valid();
    return convert(arguments, *dtype || *shard);
  });
}
