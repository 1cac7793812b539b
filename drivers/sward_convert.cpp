#include <fmt/format.h>

#include <filesystem>
#include <span>

#include "Sward_AtomicFile.hpp"
#include "Sward_CheckpointFile.hpp"
#include "Sward_CommandLine.hpp"
#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_HuggingFaceFolder.hpp"
#include "Sward_InputError.hpp"
#include "Sward_Program.hpp"
#include "Sward_SafetensorsWriter.hpp"

namespace {

namespace fs = std::filesystem;

void folder_to_checkpoint(const fs::path& from, const fs::path& to) {
  const Sward::HuggingFaceFolder folder(from);
  Sward::CheckpointHeader header;
  header.shape = folder.shape();
  Sward::AtomicFile atomic(to);
  Sward::Hdf5File file = Sward::create_checkpoint(atomic.temporary(), header);
  for (const Sward::ParameterInfo& parameter : folder.parameters()) {
    const std::vector<float> values = folder.read(parameter.name);
    file.write("/weights/" + parameter.name, std::span<const float>(values), Sward::file_extents(parameter));
  }
  file.close();
  atomic.commit();
}

void checkpoint_to_folder(const fs::path& from, const fs::path& to) {
  const Sward::CheckpointFile checkpoint(from);
  std::vector<Sward::SafetensorsTensor> tensors;
  for (const Sward::ParameterInfo& parameter : checkpoint.parameters()) {
    const auto extents = Sward::file_extents(parameter);
    tensors.push_back({parameter.name, {extents.begin(), extents.end()}});
  }
  fs::create_directories(to);
  Sward::SafetensorsWriter writer(to / "model.safetensors", tensors);
  for (const Sward::ParameterInfo& parameter : checkpoint.parameters())
    writer.write(parameter.name, checkpoint.read_weight(parameter));
  writer.commit();
  const std::int64_t length = checkpoint.header().sequence_length;
  Sward::write_huggingface_config(to, checkpoint.header().shape, length > 0 ? length : 2048);
}

void require_new_checkpoint(const fs::path& to, bool force) {
  if (fs::is_directory(to)) throw Sward::InputError(to.string() + ": is a folder, wanted a checkpoint's name");
  if (fs::exists(to) && !force) throw Sward::InputError(to.string() + ": exists already; --force writes over it");
  const fs::path folder = to.parent_path();
  if (!folder.empty() && !fs::is_directory(folder))
    throw Sward::InputError(to.string() + ": there is no folder " + folder.string());
}

void require_new_folder(const fs::path& to, bool force) {
  if (fs::exists(to) && !fs::is_directory(to))
    throw Sward::InputError(to.string() + ": is a file, wanted a folder's name");
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"})
    if (fs::exists(to / name) && !force)
      throw Sward::InputError((to / name).string() + ": exists already; --force writes over it");
}

int convert(const fs::path& from, const fs::path& to, bool force) {
  if (!fs::exists(from)) throw Sward::InputError(from.string() + ": no such file or folder");
  if (fs::is_directory(from)) {
    require_new_checkpoint(to, force);
    folder_to_checkpoint(from, to);
  } else {
    require_new_folder(to, force);
    checkpoint_to_folder(from, to);
  }
  fmt::print("wrote {}\n", to.string());
  return Sward::ExitStatus::finished;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Converts between a checkpoint and a Hugging Face folder of LlamaForCausalLM.", "sward-convert");
  std::string from;
  std::string to;
  bool force = false;
  app.add_option("from", from, "a checkpoint (.h5), or a folder with config.json and model.safetensors")->required();
  app.add_option("to", to, "what to write: a folder for a checkpoint, a checkpoint for a folder")->required();
  app.add_flag("--force", force, "write over what is there");
  app.footer(
      "Weights go over bit for bit; optimizer state stays behind.\nExit status: 0 finished, 2 bad input, 1 failed.");
  const Sward::CommandLine command_line(app, argc, argv);
  if (command_line.shows_help()) return Sward::ExitStatus::finished;
  return Sward::run_program("sward-convert", [&] {
    command_line.require_valid();
    return convert(from, to, force);
  });
}
