#include "Sward_ParameterList.hpp"

namespace Sward {

std::vector<ParameterInfo> list_parameters(const LlamaShape& shape) {
  const std::int64_t hidden = shape.hidden_size;
  const std::int64_t intermediate = shape.intermediate_size;
  const std::int64_t key_value = shape.key_value_size();
  std::vector<ParameterInfo> list;
  list.push_back({"model.embed_tokens.weight", shape.vocab_size, hidden, ParameterKind::embedding, -1});
  for (int layer = 0; layer < shape.num_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    list.push_back({prefix + "self_attn.q_proj.weight", hidden, hidden, ParameterKind::attention, layer});
    list.push_back({prefix + "self_attn.k_proj.weight", key_value, hidden, ParameterKind::attention, layer});
    list.push_back({prefix + "self_attn.v_proj.weight", key_value, hidden, ParameterKind::attention, layer});
    list.push_back({prefix + "self_attn.o_proj.weight", hidden, hidden, ParameterKind::attention, layer});
    list.push_back({prefix + "mlp.gate_proj.weight", intermediate, hidden, ParameterKind::mlp, layer});
    list.push_back({prefix + "mlp.up_proj.weight", intermediate, hidden, ParameterKind::mlp, layer});
    list.push_back({prefix + "mlp.down_proj.weight", hidden, intermediate, ParameterKind::mlp, layer});
    list.push_back({prefix + "input_layernorm.weight", 1, hidden, ParameterKind::norm, layer});
    list.push_back({prefix + "post_attention_layernorm.weight", 1, hidden, ParameterKind::norm, layer});
  }
  list.push_back({"model.norm.weight", 1, hidden, ParameterKind::norm, -1});
  if (!shape.tie_embeddings) list.push_back({"lm_head.weight", shape.vocab_size, hidden, ParameterKind::head, -1});
  return list;
}

}  // namespace Sward
