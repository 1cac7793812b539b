#include <array>

#include "Sward_EmbeddingBackward.hpp"
#include "Sward_Fill.hpp"
#include "Sward_Llama.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_SwigluCodes.hpp"
#include "Sward_SwigluProduct.hpp"

namespace Sward {

namespace {

/// Hands the factors of one matrix over as its whole gradient of this micro-batch.
template <class Sink, class Matrix>
void deliver(Sink& sink, int parameter, const Matrix& output_gradient, const Matrix& input) {
  sink.accept_factors(parameter, output_gradient, input);
  sink.complete(parameter);
}

/// The same where a slice of one factor, unless it is empty, has been written in its place.
template <class Sink, class Slice, class Matrix>
void deliver(Sink& sink, int parameter, GradientFactor factor, const Slice& slice, const Matrix& output_gradient,
             const Matrix& input) {
  if (slice.is_empty()) return deliver(sink, parameter, output_gradient, input);
  sink.accept_columns(std::array{parameter}, factor == GradientFactor::output_gradient ? input : output_gradient);
  sink.complete(parameter);
}

}  // namespace

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::recompute_block(const ExecutionSpace& space, std::size_t layer) {
  if (recompute_ == Recompute::none) return;
  forward_attention(space, layer);
  if (recompute_ != Recompute::block) return;
  forward_attention_output(space, layer);
  forward_mlp(space, layer);
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::output_columns(int parameter, Sink& sink) const -> Slice {
  return sink.wanted_columns(parameter, GradientFactor::output_gradient, batch_.tokens());
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::backward_norm(const ExecutionSpace& space, int norm, const Matrix& input,
                                                  const Vector<Value>& inverse_rms, bool adds_to_hidden, Sink& sink,
                                                  const RmsNormColumns<ExecutionSpace, Scalar>& wanted) const {
  const auto gradient = sink.dense_gradient(norm);
  rms_norm_backward(space, gradients_.normed, input, norm_weight(norm), inverse_rms, gradients_.hidden,
                    gradients_.norm_partials, Kokkos::subview(gradient.matrix, 0, Kokkos::ALL), wanted,
                    {adds_to_hidden, gradient.has_parts});
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::input_gradient_of_mlp(const ExecutionSpace& space, const Linears& linears,
                                                          const Matrix& gate_up) const {
  const Gradients& g = gradients_;
  if constexpr (Linear<ExecutionSpace, Scalar>::has_codes) {
    if (linears.down.is_float8()) {
      const auto codes = linears.gate_up.codes_of_gradient(batch_.tokens());
      linears.down.input_gradient(space, g.hidden, g.product);
      swiglu_backward(space, g.product, gate_up, linears.gate_up.weight_scale(), codes);
      return linears.gate_up.input_gradient(space, codes, g.normed);
    }
  }
  swiglu_product_backward(space, g.hidden, linears.down.weight(), g.product, gate_up);
  linears.gate_up.input_gradient(space, gate_up, g.normed);
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::backward_mlp(const ExecutionSpace& space, std::size_t layer,
                                                 const Slice& hidden_columns, Sink& sink) -> Slice {
  const Block& block = blocks_[layer];
  const MlpActivations& m = mlp_of(layer);
  const Gradients& g = gradients_;
  deliver(sink, block.down, GradientFactor::output_gradient, hidden_columns, g.hidden, m.product);
  // Gate and up are not needed again, so their gradients take their place.
  input_gradient_of_mlp(space, linears_[layer], m.gate_up);
  const Slice of_gate = sink.wanted_columns(block.gate, GradientFactor::input, batch_.tokens());
  const Slice of_up = sink.wanted_columns(block.up, GradientFactor::input, batch_.tokens());
  const Slice of_output = output_columns(block.output, sink);
  backward_norm(space, block.mlp_norm, m.input, m.inverse_rms, true, sink, {of_output, {of_gate, of_up}});
  deliver(sink, block.gate, GradientFactor::input, of_gate, gate_of(m.gate_up), m.normed);
  deliver(sink, block.up, GradientFactor::input, of_up, up_of(m.gate_up), m.normed);
  sink.complete(block.mlp_norm);
  return of_output;
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::input_gradient_of_attention(
    const ExecutionSpace& space, std::size_t layer, const PackedSlices<ExecutionSpace, Scalar>& slices) const {
  const AttentionActivations& a = attention_of(layer);
  const Gradients& g = gradients_;
  const auto& linear = linears_[layer].query_key_value;
  const auto run_attention = [&](const auto& copies) {
    with_first_keys([&](const auto& first_keys) {
      rotary_attention_backward(space, attention_shape(), first_keys, cosine_, sine_, a.query_key_value, a.output,
                                a.logsumexp, g.output, g.delta, g.query_key_value, attention_workspace_, copies);
    });
  };
  if constexpr (Linear<ExecutionSpace, Scalar>::has_codes) {
    if (linear.is_float8()) {
      using Codes = typename Linear<ExecutionSpace, Scalar>::Codes;
      using Scale = typename Linear<ExecutionSpace, Scalar>::Scale;
      const Codes codes = linear.codes_of_gradient(batch_.tokens());
      run_attention(PackedGradientCopies<ExecutionSpace, Scalar, Scale, Codes>{slices, linear.weight_scale(), codes,
                                                                               !slices.has_all()});
      return linear.input_gradient(space, codes, g.normed);
    }
  }
  run_attention(PackedGradientCopies<ExecutionSpace, Scalar>{slices, {}, {}});
  linear.input_gradient(space, g.query_key_value, g.normed);
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::deliver_query_key_value(std::size_t layer,
                                                            const PackedSlices<ExecutionSpace, Scalar>& slices,
                                                            Sink& sink) const {
  const Block& block = blocks_[layer];
  const Matrix input = attention_of(layer).normed;
  if (slices.has_all()) {
    const std::array parameters = {block.query, block.key, block.value};
    sink.accept_columns(parameters, input);
    for (const int parameter : parameters) sink.complete(parameter);
    return;
  }
  const AttentionShape shape = attention_shape();
  const auto deliver_columns = [&](int parameter, const Slice& slice, const Matrix& gradient) {
    deliver(sink, parameter, GradientFactor::output_gradient, slice, gradient, input);
  };
  deliver_columns(block.query, slices.query, queries_of(shape, gradients_.query_key_value));
  deliver_columns(block.key, slices.key, keys_of(shape, gradients_.query_key_value));
  deliver_columns(block.value, slices.value, values_of(shape, gradients_.query_key_value));
}

template <class ExecutionSpace, class Scalar>
auto Llama<ExecutionSpace, Scalar>::backward_attention(const ExecutionSpace& space, std::size_t layer,
                                                       const Slice& hidden_columns, Sink& sink) -> Slice {
  const Block& block = blocks_[layer];
  const AttentionActivations& a = attention_of(layer);
  const Gradients& g = gradients_;
  deliver(sink, block.output, GradientFactor::output_gradient, hidden_columns, g.hidden, a.output);
  linears_[layer].output.input_gradient(space, g.hidden, g.output);
  const PackedSlices<ExecutionSpace, Scalar> slices = {
      output_columns(block.query, sink), output_columns(block.key, sink), output_columns(block.value, sink)};
  input_gradient_of_attention(space, layer, slices);
  deliver_query_key_value(layer, slices, sink);
  const Slice of_down = layer > 0 ? output_columns(blocks_[layer - 1].down, sink) : Slice();
  backward_norm(space, block.attention_norm, hidden_[layer], a.inverse_rms, true, sink, {of_down, {}});
  sink.complete(block.attention_norm);
  return of_down;
}

template <class ExecutionSpace, class Scalar>
void Llama<ExecutionSpace, Scalar>::forward_backward(const ExecutionSpace& space, double loss_scale, Sink& sink) {
  require(batch_.training, "Sward::Llama::forward_backward", "the model was built without memory for training");
  forward_blocks(space);
  head(space, loss_scale, &sink);
  if (head_ != embedding_) sink.complete(head_);
  Slice hidden_columns = output_columns(blocks_.back().down, sink);
  backward_norm(space, final_norm_, hidden_.back(), final_inverse_rms_, false, sink, {hidden_columns, {}});
  sink.complete(final_norm_);
  for (std::size_t layer = blocks_.size(); layer-- > 0;) {
    fetch(space, first_parameter_from(layer));
    if (layer > 0) prefetch(space, first_parameter_from(layer - 1));
    recompute_block(space, layer);
    hidden_columns = backward_mlp(space, layer, hidden_columns, sink);
    hidden_columns = backward_attention(space, layer, hidden_columns, sink);
  }
  const auto gradient = sink.dense_gradient(embedding_);
  if (!gradient.has_parts) fill(space, gradient.matrix, 0);  // most tokens of the vocabulary do not occur
  embedding_backward(space, inputs_, gradients_.hidden, gradients_.embedding_workspace, gradient.matrix);
  sink.complete(embedding_);
}

template class Llama<Kokkos::DefaultExecutionSpace, float>;
#ifndef KOKKOS_ENABLE_CUDA  // references in tests run on hosts
template class Llama<Kokkos::DefaultExecutionSpace, double>;
#endif
template class Llama<Kokkos::DefaultExecutionSpace, BFloat16>;

}  // namespace Sward
