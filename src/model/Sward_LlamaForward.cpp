#include <algorithm>

#include "Sward_CrossEntropy.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_Fill.hpp"
#include "Sward_Llama.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_NormalValues.hpp"
#include "Sward_RmsNormCodes.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_Sum.hpp"
#include "Sward_SwigluCodes.hpp"
#include "Sward_SwigluProduct.hpp"

namespace Sward {

namespace {

/// Y = X Wᵀ.
template <class ExecutionSpace, class Matrix>
void linear(const ExecutionSpace& space, const Matrix& input, const Matrix& weight, const Matrix& output) {
  matrix_product(space, Transpose::no, Transpose::yes, 1, input, weight, 0, output);
}

}  // namespace

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::norm_weight(int parameter) const -> Vector<Scalar> {
  const Matrix view = weight(parameter);
  return Vector<Scalar>(view.data(), view.extent(1));
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::attention_of(std::size_t layer) const -> const AttentionActivations& {
  return attention_[attention_.size() == 1 ? 0 : layer];
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::mlp_of(std::size_t layer) const -> const MlpActivations& {
  return mlp_[mlp_.size() == 1 ? 0 : layer];
}

template <class ExecutionSpace, class Scalar>
AttentionShape Llama<ExecutionSpace, Scalar>::attention_shape() const {
  return {static_cast<int>(batch_.sequences),   static_cast<int>(batch_.length),
          static_cast<int>(shape_.num_heads),   static_cast<int>(shape_.num_key_value_heads),
          static_cast<int>(shape_.head_size()), batch_.deterministic};
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::initialize(const ExecutionSpace& space) {
  rotary_table(space, shape_.rope_theta, shape_.rope_scaling, cosine_, sine_);
  for (const Matrix& stack : padded_stacks_) fill(space, stack, Scalar(0.0F));
  if (batch_.float8) fill(space, float8_.ones, 1.0F);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::initialize_weights(const ExecutionSpace& space, std::uint64_t seed,
                                                       const WeightNote& note) {
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (parameters_[i].kind == ParameterKind::norm) {
      fill(space, weights_[i], Scalar(1.0F));
    } else {
      normal_values(space, Draw{seed, before_the_first_step, static_cast<std::uint32_t>(i)}, 0.02, weights_[i]);
    }
    if (note) note(i);
    keep_weight(space, i);
  }
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::fetch_weight(const ExecutionSpace& space, std::size_t parameter) const {
  if (source_ != nullptr) source_->fetch(space, groups_.of[parameter]);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::keep_weight(const ExecutionSpace& space, std::size_t parameter) const {
  if (source_ != nullptr) source_->keep(space, parameter);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::prefetch(const ExecutionSpace& space, int parameter) const {
  if (source_ != nullptr) source_->prefetch(space, groups_.of[static_cast<std::size_t>(parameter)]);
}

template <class ExecutionSpace, class Scalar>
int Llama<ExecutionSpace, Scalar>::first_parameter_from(std::size_t layer) const {
  return layer < blocks_.size() ? blocks_[layer].query : final_norm_;
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::set_batch(const ExecutionSpace& space, std::span<const std::int32_t> inputs,
                                              std::span<const std::int32_t> targets,
                                              std::span<const std::int32_t> first_keys) {
  using HostView =
      Kokkos::View<const int*, Kokkos::LayoutRight, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  require_extents("Sward::Llama::set_batch", "inputs and targets", {inputs.size(), targets.size()},
                  {batch_.tokens(), batch_.tokens()});
  Kokkos::deep_copy(space, inputs_, HostView(inputs.data(), inputs.size()));
  Kokkos::deep_copy(space, targets_, HostView(targets.data(), targets.size()));
  has_documents_ = !first_keys.empty();
  if (has_documents_) {
    require_extents("Sward::Llama::set_batch", "first_keys", {first_keys.size()}, {batch_.tokens()});
    Kokkos::deep_copy(space, first_keys_, HostView(first_keys.data(), first_keys.size()));
  }
  // The caller's vectors may go as soon as this returns.
  space.fence("Sward::Llama::set_batch");
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::multiply_normed(const ExecutionSpace& space, const Matrix& input, int norm,
                                                    const Vector<Value>& inverse_rms, const Matrix& normed,
                                                    const Linear<ExecutionSpace, Scalar>& linear,
                                                    const Matrix& output) const {
  if constexpr (Linear<ExecutionSpace, Scalar>::has_codes) {
    if (linear.is_float8()) {
      const auto codes = linear.codes_of_input(batch_.tokens());
      rms_norm(space, input, norm_weight(norm), shape_.rms_norm_eps, inverse_rms, normed, codes);
      return linear.forward(space, codes, output);
    }
  }
  rms_norm(space, input, norm_weight(norm), shape_.rms_norm_eps, inverse_rms, normed);
  linear.forward(space, normed, output);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward_attention(const ExecutionSpace& space, std::size_t layer) {
  const Block& block = blocks_[layer];
  const AttentionActivations& a = attention_of(layer);
  const Matrix input = hidden_[batch_.training ? layer : 0];
  multiply_normed(space, input, block.attention_norm, a.inverse_rms, a.normed, linears_[layer].query_key_value,
                  a.query_key_value);
  with_first_keys([&](const auto& first_keys) {
    rotary_attention(space, attention_shape(), first_keys, cosine_, sine_, a.query_key_value, a.output, a.logsumexp,
                     attention_workspace_);
  });
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward_attention_output(const ExecutionSpace& space, std::size_t layer) {
  const Matrix input = hidden_[batch_.training ? layer : 0];
  linears_[layer].output.forward(space, input, attention_of(layer).output, mlp_of(layer).input);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward_mlp(const ExecutionSpace& space, std::size_t layer) {
  const Block& block = blocks_[layer];
  const MlpActivations& m = mlp_of(layer);
  const Linears& linears = linears_[layer];
  if constexpr (Linear<ExecutionSpace, Scalar>::has_codes) {
    if (linears.down.is_float8()) {
      multiply_normed(space, m.input, block.mlp_norm, m.inverse_rms, m.normed, linears.gate_up, m.gate_up);
      return swiglu(space, gate_of(m.gate_up), up_of(m.gate_up), m.product,
                    linears.down.codes_of_input(batch_.tokens()));
    }
  }
  rms_norm(space, m.input, norm_weight(block.mlp_norm), shape_.rms_norm_eps, m.inverse_rms, m.normed);
  swiglu_product(space, m.normed, linears.gate_up.weight(), m.gate_up, m.product);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward_mlp_output(const ExecutionSpace& space, std::size_t layer) {
  const MlpActivations& m = mlp_of(layer);
  const Matrix output = hidden_[batch_.training ? layer + 1 : 0];
  const auto& down = linears_[layer].down;
  if (down.is_float8()) {
    down.forward(space, m.input, down.codes_of_input(batch_.tokens()), output);
  } else {
    down.forward(space, m.input, m.product, output);
  }
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward_blocks(const ExecutionSpace& space) {
  fetch(space, embedding_);
  prefetch(space, first_parameter_from(0));
  embedding(space, weight(embedding_), inputs_, hidden_[0]);
  for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
    fetch(space, first_parameter_from(layer));
    prefetch(space, first_parameter_from(layer + 1));
    forward_attention(space, layer);
    forward_attention_output(space, layer);
    forward_mlp(space, layer);
    forward_mlp_output(space, layer);
  }
  fetch(space, final_norm_);
  const Matrix last = hidden_[batch_.training ? blocks_.size() : 0];
  rms_norm(space, last, norm_weight(final_norm_), shape_.rms_norm_eps, final_inverse_rms_, final_normed_);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::head(const ExecutionSpace& space, double loss_scale, Sink* sink) {
  fetch(space, head_);
  const std::size_t tokens = batch_.tokens();
  for (std::size_t first = 0; first < tokens; first += logits_.extent(0)) {
    const std::pair<std::size_t, std::size_t> slice(first, std::min(tokens, first + logits_.extent(0)));
    const Matrix logits(logits_.data(), slice.second - slice.first, logits_.extent(1));
    const Matrix normed = Kokkos::subview(final_normed_, slice, Kokkos::ALL);
    const auto targets = Kokkos::subview(targets_, slice);
    const auto losses = Kokkos::subview(losses_, slice);
    linear(space, normed, weight(head_), logits);
    if (sink == nullptr) {
      cross_entropy(space, logits, targets, losses);
      continue;
    }
    cross_entropy_backward(space, targets, loss_scale, logits, losses);
    sink->accept_factors(head_, logits, normed);
    const Matrix normed_gradient = Kokkos::subview(gradients_.normed, slice, Kokkos::ALL);
    matrix_product(space, Transpose::no, Transpose::no, 1, logits, weight(head_), 0, normed_gradient);
  }
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward(const ExecutionSpace& space) {
  forward_blocks(space);
  head(space, 0.0, nullptr);
}

template <class ExecutionSpace, class Scalar>
double Llama<ExecutionSpace, Scalar>::loss_sum(const ExecutionSpace& space) const {
  return sum(space, losses_);
}

template <class ExecutionSpace, class Scalar>
std::vector<float> Llama<ExecutionSpace, Scalar>::logits(const ExecutionSpace& space, std::size_t token) {
  const Matrix normed = Kokkos::subview(final_normed_, std::pair(token, token + 1), Kokkos::ALL);
  const Matrix row(logits_.data(), 1, logits_.extent(1));
  fetch(space, head_);
  linear(space, normed, weight(head_), row);
  space.fence("Sward::Llama::logits");
  const auto host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, row);
  return std::vector<float>(host.data(), host.data() + host.size());
}

template class Llama<Kokkos::DefaultExecutionSpace, float>;
#ifndef KOKKOS_ENABLE_CUDA  // references in tests run on hosts
template class Llama<Kokkos::DefaultExecutionSpace, double>;
#endif
template class Llama<Kokkos::DefaultExecutionSpace, BFloat16>;

}  // namespace Sward
