#include "Sward_HuggingFaceFolder.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <set>

#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_InputError.hpp"

namespace Sward {
namespace {

std::vector<std::int64_t> shape_of(const ParameterInfo& parameter) {
  if (parameter.kind == ParameterKind::norm) return {parameter.columns};
  return {parameter.rows, parameter.columns};
}

/// "a, b, c and 4 more": a folder of another model differs in hundreds of names.
std::string shortened(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 5;
  if (names.size() <= shown) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + shown, ", "), names.size() - shown);
}

}  // namespace

HuggingFaceFolder::HuggingFaceFolder(const std::filesystem::path& folder)
    : shape_(read_huggingface_config(folder)), parameters_(list_parameters(shape_)), tensors_(folder) {
  check_names(folder);
  if (shape_.tie_embeddings && tensors_.tensors().contains("lm_head.weight")) check_tied_head(folder);
}

void HuggingFaceFolder::check_names(const std::filesystem::path& folder) const {
  std::vector<std::string> missing;
  std::vector<std::string> misshapen;
  std::set<std::string> known;
  for (const ParameterInfo& parameter : parameters_) {
    known.insert(parameter.name);
    if (!tensors_.tensors().contains(parameter.name)) {
      missing.push_back(parameter.name);
    } else if (const auto& found = tensors_.entry(parameter.name).shape; found != shape_of(parameter)) {
      misshapen.push_back(fmt::format("{} ({}), wanted ({})", parameter.name, fmt::join(found, ", "),
                                      fmt::join(shape_of(parameter), ", ")));
    }
  }
  std::vector<std::string> unexpected;
  for (const auto& [name, file] : tensors_.tensors()) {
    const bool spare = name.ends_with(".rotary_emb.inv_freq") || (shape_.tie_embeddings && name == "lm_head.weight");
    if (!known.contains(name) && !spare) unexpected.push_back(name);
  }
  std::string message;
  if (!missing.empty()) message += "; missing: " + shortened(missing);
  if (!unexpected.empty()) message += "; unexpected: " + shortened(unexpected);
  if (!misshapen.empty()) message += "; of the wrong shape: " + shortened(misshapen);
  if (message.empty()) return;
  throw InputError(fmt::format("{}: the tensors are not those of config.json{}", folder.string(), message));
}

void HuggingFaceFolder::check_tied_head(const std::filesystem::path& folder) const {
  if (tensors_.read("lm_head.weight") == tensors_.read("model.embed_tokens.weight")) return;
  throw InputError(
      fmt::format("{}: tie_word_embeddings is true, but lm_head.weight differs from the embeddings", folder.string()));
}

}  // namespace Sward
