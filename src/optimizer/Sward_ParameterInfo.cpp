#include "Sward_ParameterInfo.hpp"

#include <algorithm>
#include <stdexcept>

namespace Sward {

namespace {

std::string group_label(const ParameterInfo& parameter) {
  if (parameter.layer >= 0) return "layer " + std::to_string(parameter.layer);
  return parameter.kind == ParameterKind::embedding ? "embedding" : "head";
}

}  // namespace

bool is_tied(const std::vector<ParameterInfo>& parameters) {
  return std::none_of(parameters.begin(), parameters.end(),
                      [](const ParameterInfo& parameter) { return parameter.kind == ParameterKind::head; });
}

ParameterGroups group_parameters(const std::vector<ParameterInfo>& parameters) {
  ParameterGroups groups;
  for (const ParameterInfo& parameter : parameters) {
    const std::string label = group_label(parameter);
    if (groups.labels.empty() || groups.labels.back() != label) {
      if (std::find(groups.labels.begin(), groups.labels.end(), label) != groups.labels.end())
        throw std::logic_error("Sward::group_parameters: the parameters of " + label + " must follow each other");
      groups.labels.push_back(label);
    }
    groups.of.push_back(groups.labels.size() - 1);
  }
  return groups;
}

}  // namespace Sward
