#pragma once

#include <vector>

#include "Sward_LlamaShape.hpp"
#include "Sward_ParameterInfo.hpp"

namespace Sward {

/// Every parameter of the model with the name and in the order of Hugging Face's LlamaForCausalLM; no lm_head.weight
/// where the embeddings are tied.
std::vector<ParameterInfo> list_parameters(const LlamaShape& shape);

}  // namespace Sward
