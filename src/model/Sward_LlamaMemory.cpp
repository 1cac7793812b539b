#include <algorithm>
#include <stdexcept>

#include "Sward_EmbeddingBackward.hpp"
#include "Sward_Llama.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

namespace {

// Logits are made and consumed slice by slice. On a host one of this size stays in a large cache; on a device few large
// slices read and write the head's gradient less often.
template <class ExecutionSpace>
constexpr std::size_t logits_slice_elements = std::size_t(runs_on_host<ExecutionSpace> ? 8 : 256) << 20;

/// The intermediate size with padding up to 64 elements of two bytes, the width of the units that multiply them.
template <class Scalar>
std::int64_t padded_width(std::int64_t width) {
  return sizeof(Scalar) == 2 ? (width + 63) / 64 * 64 : width;
}

/// How many parameters, from the one with this name on, are stacked into one matrix: they are multiplied by the same
/// input, and one large product beats several small ones.
std::size_t stack_size(const std::string& name) {
  if (name.ends_with("q_proj.weight")) return 3;
  if (name.ends_with("gate_proj.weight")) return 2;
  return 1;
}

template <class ExecutionSpace>
std::size_t logits_rows(std::size_t tokens, std::size_t vocabulary) {
  const std::size_t most = std::max<std::size_t>(128, logits_slice_elements<ExecutionSpace> / vocabulary);
  // Threads of a host share a slice's tokens by 16; what is left over would keep one of them busy alone.
  if (runs_on_host<ExecutionSpace>) return std::min(tokens, most / 64 * 64);
  if (tokens <= most) return tokens;
  const std::size_t slices = (tokens + most - 1) / most;
  return (tokens + slices - 1) / slices;
}

/// The distance between rows of activations. On hosts rows of whole pages get a cache line more: the elements of a
/// column would all have to share the few places of a cache, and a product with the transpose takes twice as long.
template <class ExecutionSpace, class Scalar>
constexpr std::size_t row_distance(std::size_t columns) {
  constexpr std::size_t page = 4096 / sizeof(Scalar);
  constexpr std::size_t line = 64 / sizeof(Scalar);
  return runs_on_host<ExecutionSpace> && columns % page == 0 ? columns + line : columns;
}

}  // namespace

template <class ExecutionSpace, class Scalar>
Llama<ExecutionSpace, Scalar>::Llama(Arena<ExecutionSpace>& arena, const LlamaShape& shape, const BatchShape& batch,
                                     Recompute recompute, WeightStorage storage)
    : shape_(shape),
      batch_(batch),
      recompute_(recompute),
      parameters_(list_parameters(shape)),
      groups_(group_parameters(parameters_)),
      width_(padded_width<Scalar>(shape.intermediate_size)) {
  plan_weights(arena, storage);
  // The codes of weights too are kept for the backward pass where nothing is computed again.
  plan_linears(arena, batch.training && recompute == Recompute::none && storage == WeightStorage::whole);
  plan_activations(arena, recompute);
  if (batch.training) plan_gradients(arena);
}

template <class ExecutionSpace, class Scalar>
int Llama<ExecutionSpace, Scalar>::find(const std::string& name) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    if (parameters_[i].name == name) return static_cast<int>(i);
  throw std::logic_error("Sward::Llama: no parameter is called " + name);
}

template <class ExecutionSpace, class Scalar>
std::size_t Llama<ExecutionSpace, Scalar>::padded_rows(const ParameterInfo& parameter) const {
  const bool is_width = parameter.name.ends_with("gate_proj.weight") || parameter.name.ends_with("up_proj.weight");
  return static_cast<std::size_t>(is_width ? width_ : parameter.rows);
}

template <class ExecutionSpace, class Scalar>
std::size_t Llama<ExecutionSpace, Scalar>::padded_columns(const ParameterInfo& parameter) const {
  return static_cast<std::size_t>(parameter.name.ends_with("down_proj.weight") ? width_ : parameter.columns);
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::list_stacks() const -> std::vector<Stack> {
  std::vector<Stack> stacks;
  for (std::size_t first = 0; first < parameters_.size(); first = stacks.back().end) {
    Stack stack{first, first + stack_size(parameters_[first].name), 0, padded_columns(parameters_[first]), ""};
    for (std::size_t i = first; i < stack.end; ++i) {
      stack.label += (stack.label.empty() ? "" : " + ") + parameters_[i].name;
      stack.rows += padded_rows(parameters_[i]);
    }
    stacks.push_back(stack);
  }
  return stacks;
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::place_whole(Arena<ExecutionSpace>& arena, const std::vector<Stack>& stacks) const
    -> std::vector<Matrix> {
  std::vector<Matrix> places;
  places.reserve(stacks.size());
  for (const Stack& stack : stacks)
    places.push_back(arena.template matrix<Scalar>(stack.label, BlockKind::weight, stack.rows, stack.columns));
  return places;
}

/// All layers have one place, and what is outside of them another; a head that is the embedding has no weights but the
/// final norm, which is needed beside the embedding.
template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::place_by_group(Arena<ExecutionSpace>& arena, const std::vector<Stack>& stacks) const
    -> std::vector<Matrix> {
  constexpr std::size_t alignment = 128;  // elements, of rows that are read in packs
  std::vector<std::size_t> sizes(groups_.labels.size());
  std::vector<std::size_t> begins;
  for (const Stack& stack : stacks) {
    std::size_t& size = sizes[groups_.of[stack.first]];
    begins.push_back(size);
    size += (stack.rows * stack.columns + alignment - 1) / alignment * alignment;
  }
  const std::size_t embedding = sizes.front();
  const std::size_t head = sizes.back();
  const std::size_t begin_of_head = shape_.tie_embeddings ? embedding : 0;
  const auto layer = arena.template vector<Scalar>("weights of a layer", BlockKind::workspace,
                                                   *std::max_element(sizes.begin() + 1, sizes.end() - 1));
  const auto outside = arena.template vector<Scalar>("weights outside the layers", BlockKind::workspace,
                                                     std::max(embedding, begin_of_head + head));
  std::vector<Matrix> places;
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    const std::size_t group = groups_.of[stacks[i].first];
    const bool is_outside = group == 0 || group + 1 == sizes.size();
    const std::size_t begin = begins[i] + (group + 1 == sizes.size() ? begin_of_head : 0);
    Scalar* const memory = is_outside ? outside.data() : layer.data();
    places.emplace_back(memory == nullptr ? nullptr : memory + begin, stacks[i].rows, stacks[i].columns);
  }
  return places;
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::plan_weights(Arena<ExecutionSpace>& arena, WeightStorage storage) {
  const std::vector<Stack> stacks = list_stacks();
  const std::vector<Matrix> places =
      storage == WeightStorage::whole ? place_whole(arena, stacks) : place_by_group(arena, stacks);
  for (std::size_t s = 0; s < stacks.size(); ++s) {
    std::size_t row = 0;
    for (std::size_t i = stacks[s].first; i < stacks[s].end; ++i) {
      const auto own_rows = static_cast<std::size_t>(parameters_[i].rows);
      const auto own_columns = static_cast<std::size_t>(parameters_[i].columns);
      const std::size_t end_row = row + padded_rows(parameters_[i]);
      weights_.push_back(
          Kokkos::subview(places[s], std::pair(row, row + own_rows), std::pair(std::size_t{0}, own_columns)));
      padded_weights_.push_back(Kokkos::subview(places[s], std::pair(row, end_row), Kokkos::ALL));
      row = end_row;
    }
    const ParameterInfo& first = parameters_[stacks[s].first];
    const bool is_padded = padded_rows(first) != static_cast<std::size_t>(first.rows) ||
                           padded_columns(first) != static_cast<std::size_t>(first.columns);
    if (is_padded) padded_stacks_.push_back(places[s]);
  }
  for (std::int64_t layer = 0; layer < shape_.num_layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    blocks_.push_back({find(prefix + "self_attn.q_proj.weight"), find(prefix + "self_attn.k_proj.weight"),
                       find(prefix + "self_attn.v_proj.weight"), find(prefix + "self_attn.o_proj.weight"),
                       find(prefix + "mlp.gate_proj.weight"), find(prefix + "mlp.up_proj.weight"),
                       find(prefix + "mlp.down_proj.weight"), find(prefix + "input_layernorm.weight"),
                       find(prefix + "post_attention_layernorm.weight")});
  }
  embedding_ = find("model.embed_tokens.weight");
  final_norm_ = find("model.norm.weight");
  head_ = shape_.tie_embeddings ? embedding_ : find("lm_head.weight");
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::plan_tokens(Arena<ExecutionSpace>& arena, const std::string& label, BlockKind kind,
                                                std::size_t columns) const -> Matrix {
  const std::size_t apart = row_distance<ExecutionSpace, Scalar>(columns);
  const Matrix rows = arena.template matrix<Scalar>(label, kind, batch_.tokens(), apart);
  return columns_of(rows, 0, static_cast<std::int64_t>(columns));
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::plan_linears(Arena<ExecutionSpace>& arena, bool keeps_codes) {
  constexpr BlockKind kind = BlockKind::workspace;
  const auto hidden = static_cast<std::size_t>(shape_.hidden_size);
  const auto width = static_cast<std::size_t>(width_);
  const auto query_key_value = static_cast<std::size_t>(query_key_value_size());
  if (batch_.float8) {
    const std::size_t features = batch_.training ? std::max(2 * width, query_key_value) : std::max(width, hidden);
    const std::size_t weights = hidden * std::max(2 * width, query_key_value);
    float8_ = {arena.template vector<Float8>("factor in 8 bits", kind, batch_.tokens() * features),
               arena.template vector<float>("scales of the factor in 8 bits", kind, batch_.tokens()),
               arena.template vector<Float8>("weight in 8 bits", kind, keeps_codes ? 0 : weights),
               arena.template vector<Float8>("transposed weight in 8 bits", kind, batch_.training ? weights : 0),
               arena.template vector<float>("scales of a transposed weight in 8 bits", kind, std::max(width, hidden))};
  }
  const auto linear = [&](int parameter, std::size_t rows, std::size_t columns) {
    const Matrix stack(padded_weight(parameter).data(), rows, columns);
    if (!batch_.float8) return Linear<ExecutionSpace, Scalar>(stack);
    const std::string label = parameters_[static_cast<std::size_t>(parameter)].name + " in 8 bits";
    const auto scales = arena.template vector<float>(label + ": scales", kind, rows);
    const auto codes = arena.template vector<Float8>(label, BlockKind::activation, keeps_codes ? rows * columns : 0);
    return Linear<ExecutionSpace, Scalar>(stack, scales, codes, float8_);
  };
  for (const Block& block : blocks_)
    linears_.push_back({linear(block.query, query_key_value, hidden), linear(block.output, hidden, hidden),
                        linear(block.gate, 2 * width, hidden), linear(block.down, hidden, width)});
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::plan_attention(Arena<ExecutionSpace>& arena, const std::string& label) const
    -> AttentionActivations {
  constexpr BlockKind kind = BlockKind::activation;
  const std::size_t tokens = batch_.tokens();
  const auto hidden = static_cast<std::size_t>(shape_.hidden_size);
  const auto heads = static_cast<std::size_t>(shape_.num_heads);
  return {arena.template vector<Value>(label + " attention inverse rms", kind, tokens),
          plan_tokens(arena, label + " attention normed input", kind, hidden),
          plan_tokens(arena, label + " query, key and value", kind, static_cast<std::size_t>(query_key_value_size())),
          plan_tokens(arena, label + " attention output", kind, hidden),
          arena.template matrix<Value>(label + " attention logsumexp", kind, tokens, heads)};
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::plan_mlp(Arena<ExecutionSpace>& arena, const std::string& label) const
    -> MlpActivations {
  constexpr BlockKind kind = BlockKind::activation;
  const std::size_t tokens = batch_.tokens();
  const auto hidden = static_cast<std::size_t>(shape_.hidden_size);
  const auto width = static_cast<std::size_t>(width_);
  return {arena.template vector<Value>(label + " mlp inverse rms", kind, tokens),
          plan_tokens(arena, label + " mlp input", kind, hidden),
          plan_tokens(arena, label + " mlp normed input", kind, hidden),
          plan_tokens(arena, label + " gate and up", kind, 2 * width),
          plan_tokens(arena, label + " gated product", kind, width)};
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::plan_activations(Arena<ExecutionSpace>& arena, Recompute recompute) {
  constexpr BlockKind kind = BlockKind::activation;
  const std::size_t tokens = batch_.tokens();
  const auto hidden = static_cast<std::size_t>(shape_.hidden_size);
  const auto layers = static_cast<std::size_t>(shape_.num_layers);
  const auto vocabulary = static_cast<std::size_t>(shape_.vocab_size);
  const auto half_head = static_cast<std::size_t>(shape_.head_size() / 2);

  inputs_ = arena.template vector<int>("input tokens", kind, tokens);
  targets_ = arena.template vector<int>("target tokens", kind, tokens);
  first_keys_ = arena.template vector<int>("first keys", kind, tokens);
  cosine_ = arena.template matrix<Value>("rotary cosine", BlockKind::workspace, batch_.length, half_head);
  sine_ = arena.template matrix<Value>("rotary sine", BlockKind::workspace, batch_.length, half_head);

  const std::size_t hidden_sets = batch_.training ? layers + 1 : 2;
  for (std::size_t i = 0; i < hidden_sets; ++i)
    hidden_.push_back(plan_tokens(arena, "hidden " + std::to_string(i), kind, hidden));
  const bool share_attention = recompute != Recompute::none || !batch_.training;
  const bool share_mlp = recompute == Recompute::block || !batch_.training;
  for (std::size_t i = 0; i < (share_attention ? 1 : layers); ++i)
    attention_.push_back(plan_attention(arena, share_attention ? "shared" : "layer " + std::to_string(i)));
  for (std::size_t i = 0; i < (share_mlp ? 1 : layers); ++i)
    mlp_.push_back(plan_mlp(arena, share_mlp ? "shared" : "layer " + std::to_string(i)));

  attention_workspace_ = arena.template vector<std::byte>(
      "attention workspace", BlockKind::workspace,
      attention_workspace_bytes<ExecutionSpace, Scalar>(attention_shape(), batch_.training));

  final_inverse_rms_ = arena.template vector<Value>("final inverse rms", kind, tokens);
  final_normed_ = plan_tokens(arena, "final normed", kind, hidden);
  logits_ =
      arena.template matrix<Scalar>("logits slice", kind, logits_rows<ExecutionSpace>(tokens, vocabulary), vocabulary);
  losses_ = arena.template vector<Value>("losses", kind, tokens);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::plan_gradients(Arena<ExecutionSpace>& arena) {
  constexpr BlockKind kind = BlockKind::workspace;
  const std::size_t tokens = batch_.tokens();
  const auto hidden = static_cast<std::size_t>(shape_.hidden_size);
  const auto width = static_cast<std::size_t>(width_);
  const auto heads = static_cast<std::size_t>(shape_.num_heads);
  const auto vocabulary = static_cast<std::size_t>(shape_.vocab_size);
  gradients_ = {
      plan_tokens(arena, "gradient of hidden", kind, hidden),
      plan_tokens(arena, "gradient of normed input", kind, hidden),
      plan_tokens(arena, "gradient of gated product", kind, width),
      plan_tokens(arena, "gradient of query, key and value", kind, static_cast<std::size_t>(query_key_value_size())),
      plan_tokens(arena, "gradient of attention output", kind, hidden),
      arena.template matrix<Value>("attention delta", kind, tokens, heads),
      arena.template matrix<Value>("rms norm partials", kind, rms_norm_partial_rows<ExecutionSpace>, hidden),
      arena.template vector<int>("positions by token", kind, embedding_workspace_size(tokens, vocabulary))};
}

template class Llama<Kokkos::DefaultExecutionSpace, float>;
#ifndef KOKKOS_ENABLE_CUDA  // references in tests run on hosts
template class Llama<Kokkos::DefaultExecutionSpace, double>;
#endif
template class Llama<Kokkos::DefaultExecutionSpace, BFloat16>;

}  // namespace Sward
