#include "Sward_HuggingFaceFolder.hpp"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <set>
#include <utility>

#include "Sward_HuggingFaceConfig.hpp"
#include "Sward_InputError.hpp"

namespace Sward {
namespace {

std::vector<std::int64_t> shape_of(const ParameterInfo& parameter) {
  if (parameter.kind == ParameterKind::norm) return {parameter.columns};
  return {parameter.rows, parameter.columns};
}

std::string extents_text(const std::vector<std::int64_t>& extents) {
  return fmt::format("({})", fmt::join(extents, ", "));
}

}  // namespace

HuggingFaceFolder::HuggingFaceFolder(const std::filesystem::path& folder)
    : shape_(read_huggingface_config(folder)), parameters_(list_parameters(shape_)), tensors_(folder) {
  check_tensors(folder);
  if (shape_.tie_embeddings && tensors_.tensors().contains("lm_head.weight")) check_tied_head(folder);
}

void HuggingFaceFolder::check_tensors(const std::filesystem::path& folder) const {
  std::vector<std::string> mistakes;
  std::set<std::string> known;
  for (const ParameterInfo& parameter : parameters_) {
    known.insert(parameter.name);
    const std::string wanted = extents_text(shape_of(parameter));
    const auto found = tensors_.tensors().find(parameter.name);
    if (found == tensors_.tensors().end()) {
      mistakes.push_back(fmt::format("{}: tensor '{}' is missing, wanted {}", folder.string(), parameter.name, wanted));
    } else if (const auto& shape = tensors_.entry(parameter.name).shape; shape != shape_of(parameter)) {
      mistakes.push_back(fmt::format("{}: tensor '{}' is {}, wanted {}", found->second->path().string(), parameter.name,
                                     extents_text(shape), wanted));
    }
  }
  for (const auto& [name, file] : tensors_.tensors()) {
    const bool spare = name.ends_with(".rotary_emb.inv_freq") || (shape_.tie_embeddings && name == "lm_head.weight");
    if (known.contains(name) || spare) continue;
    mistakes.push_back(fmt::format("{}: tensor '{}' {} is not one of the model of config.json", file->path().string(),
                                   name, extents_text(tensors_.entry(name).shape)));
  }
  if (!mistakes.empty()) throw InputErrorList(std::move(mistakes));
}

void HuggingFaceFolder::check_tied_head(const std::filesystem::path& folder) const {
  if (tensors_.read("lm_head.weight") == tensors_.read("model.embed_tokens.weight")) return;
  throw InputError(
      fmt::format("{}: tie_word_embeddings is true, but lm_head.weight differs from the embeddings", folder.string()));
}

}  // namespace Sward
