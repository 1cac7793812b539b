#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "Sward_Arena.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_Linear.hpp"
#include "Sward_LlamaShape.hpp"
#include "Sward_ParameterList.hpp"
#include "Sward_Real.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RotaryAttention.hpp"
#include "Sward_WeightSource.hpp"

namespace Sward {

/// What the backward pass computes again instead of keeping it from the forward pass.
enum class Recompute {
  none,       ///< every activation of every block is kept
  attention,  ///< kept but for the attention's: normed input, q, k, v, output
  block       ///< of each block only its input is kept
};

/// Where a model has its weights.
enum class WeightStorage {
  whole,    ///< all of them, for good
  by_group  ///< all layers in the same memory, and so embedding and head: a WeightSource brings them one after another
};

/// The work of one pass on one rank.
struct BatchShape {
  std::size_t sequences = 1;  ///< sequences a pass
  std::size_t length = 1;     ///< tokens a sequence
  bool training = true;       ///< false: no memory for a backward pass
  bool deterministic = true;  ///< false: a backward pass may differ in its last bits from run to run
  bool float8 = false;        ///< the linears of the blocks multiply in 8 bits; only where storage is in BFloat16
  std::size_t tokens() const { return sequences * length; }
};

/// Told of each parameter, by its number, when its weights have been written to their views.
using WeightNote = std::function<void(std::size_t)>;

/// A LLaMA: forward, and backward by hand into a gradient sink. Weights are rows x columns = outputs x inputs, and
/// stored as Scalar like the activations.
///
/// All memory comes from the arena at construction; every call is asynchronous on the instance it is given.
template <class ExecutionSpace, class Scalar>
class Llama {
 public:
  using Matrix = typename GradientSink<ExecutionSpace, Scalar>::Matrix;
  using Sink = GradientSink<ExecutionSpace, Scalar>;
  using Slice = typename Sink::Slice;
  /// In what losses, norms of tokens, rotary tables and attention's statistics are kept.
  using Value = Real<Scalar>;
  using ValueMatrix = typename Sink::GradientMatrix;
  template <class T>
  using Vector = typename Arena<ExecutionSpace>::template VectorView<T>;

  Llama(Arena<ExecutionSpace>& arena, const LlamaShape& shape, const BatchShape& batch, Recompute recompute,
        WeightStorage storage = WeightStorage::whole);

  /// Weights that are stored by group come from here, and go here when they are initialized. The source must outlive
  /// the model's passes.
  void set_weight_source(WeightSource<ExecutionSpace>* source) { source_ = source; }

  const LlamaShape& shape() const { return shape_; }
  const BatchShape& batch() const { return batch_; }
  /// Tokens of the slices in which logits are made.
  std::size_t logits_slice() const { return logits_.extent(0); }
  const std::vector<ParameterInfo>& parameters() const { return parameters_; }
  /// All weights in the order of `parameters()`; norms are 1 x n.
  const std::vector<Matrix>& weights() const { return weights_; }
  /// The same with the padding of the intermediate size, which is 0 and stays so because its gradients are: what an
  /// optimizer works on. Factors have the padding too.
  const std::vector<Matrix>& padded_weights() const { return padded_weights_; }

  /// Fills the rotary tables; before the first pass.
  void initialize(const ExecutionSpace& space);
  /// Draws N(0, 0.02²) for matrices and sets norms to 1; the same bits for a seed on any backend.
  void initialize_weights(const ExecutionSpace& space, std::uint64_t seed, const WeightNote& note = {});
  /// Whoever reads a weight from its view calls the first before, whoever writes it the second behind it; only weights
  /// that are stored by group need it.
  void fetch_weight(const ExecutionSpace& space, std::size_t parameter) const;
  void keep_weight(const ExecutionSpace& space, std::size_t parameter) const;

  /// Copies one batch to the device: tokens() inputs and targets; a negative target does not count. first_keys, if any,
  /// has for each token the number within its sequence of the first token that it sees; without, the whole sequence.
  void set_batch(const ExecutionSpace& space, std::span<const std::int32_t> inputs,
                 std::span<const std::int32_t> targets, std::span<const std::int32_t> first_keys = {});

  /// Forward pass; the loss of each token of the batch is then in `losses()`.
  void forward(const ExecutionSpace& space);
  /// Forward and backward pass of `loss_scale` times the sum of the tokens' losses; gradients go to the sink.
  void forward_backward(const ExecutionSpace& space, double loss_scale, Sink& sink);

  /// Sum of the losses of the last batch's tokens; waits for `space`.
  double loss_sum(const ExecutionSpace& space) const;
  Vector<Value> losses() const { return losses_; }
  /// Logits of one token of the last forward pass, on the host; waits for `space`.
  std::vector<float> logits(const ExecutionSpace& space, std::size_t token);

 private:
  struct Block {
    int query, key, value, output, gate, up, down, attention_norm, mlp_norm;  // parameter numbers
  };
  struct Linears {
    Linear<ExecutionSpace, Scalar> query_key_value, output, gate_up, down;
  };
  struct AttentionActivations {
    Vector<Value> inverse_rms;
    Matrix normed, query_key_value, output;
    ValueMatrix logsumexp;
  };
  struct MlpActivations {
    Vector<Value> inverse_rms;
    Matrix input, normed, gate_up, product;
  };
  struct Gradients {
    Matrix hidden, normed, product, query_key_value, output;
    ValueMatrix delta, norm_partials;
    Vector<int> embedding_workspace;
  };

  /// Parameters `first` to `end`, one below the other in a matrix.
  struct Stack {
    std::size_t first, end;
    std::size_t rows, columns;  ///< with padding
    std::string label;
  };
  std::vector<Stack> list_stacks() const;
  void plan_weights(Arena<ExecutionSpace>& arena, WeightStorage storage);
  std::vector<Matrix> place_whole(Arena<ExecutionSpace>& arena, const std::vector<Stack>& stacks) const;
  std::vector<Matrix> place_by_group(Arena<ExecutionSpace>& arena, const std::vector<Stack>& stacks) const;
  std::size_t padded_rows(const ParameterInfo& parameter) const;
  std::size_t padded_columns(const ParameterInfo& parameter) const;
  void plan_linears(Arena<ExecutionSpace>& arena, bool keeps_codes);
  void plan_activations(Arena<ExecutionSpace>& arena, Recompute recompute);
  void plan_gradients(Arena<ExecutionSpace>& arena);
  /// Activations: a row of `columns` elements for each token.
  Matrix plan_tokens(Arena<ExecutionSpace>& arena, const std::string& label, BlockKind kind, std::size_t columns) const;
  AttentionActivations plan_attention(Arena<ExecutionSpace>& arena, const std::string& label) const;
  MlpActivations plan_mlp(Arena<ExecutionSpace>& arena, const std::string& label) const;
  int find(const std::string& name) const;

  Matrix weight(int parameter) const { return weights_[static_cast<std::size_t>(parameter)]; }
  Vector<Scalar> norm_weight(int parameter) const;
  /// The columns of a weight and their padding.
  Matrix padded_weight(int parameter) const { return padded_weights_[static_cast<std::size_t>(parameter)]; }
  std::int64_t query_key_value_size() const { return shape_.hidden_size + 2 * shape_.key_value_size(); }
  Matrix gate_of(const Matrix& packed) const { return columns_of(packed, 0, width_); }
  Matrix up_of(const Matrix& packed) const { return columns_of(packed, width_, width_); }
  static Matrix columns_of(const Matrix& packed, std::int64_t first, std::int64_t count) {
    return Kokkos::subview(packed, Kokkos::ALL, std::pair<std::int64_t, std::int64_t>(first, first + count));
  }
  const AttentionActivations& attention_of(std::size_t layer) const;
  const MlpActivations& mlp_of(std::size_t layer) const;
  AttentionShape attention_shape() const;
  /// Calls function(first keys of the batch): the list, or WholeSequence, for which there are faster kernels.
  template <class Function>
  void with_first_keys(const Function& function) const {
    has_documents_ ? function(first_keys_) : function(WholeSequence{});
  }

  void fetch(const ExecutionSpace& space, int parameter) const {
    fetch_weight(space, static_cast<std::size_t>(parameter));
  }
  /// A parameter of the group that is fetched next.
  void prefetch(const ExecutionSpace& space, int parameter) const;
  /// Of the layer, or of what follows the last one.
  int first_parameter_from(std::size_t layer) const;
  void forward_blocks(const ExecutionSpace& space);
  /// A norm and the linear layer behind it.
  void multiply_normed(const ExecutionSpace& space, const Matrix& input, int norm, const Vector<Value>& inverse_rms,
                       const Matrix& normed, const Linear<ExecutionSpace, Scalar>& linear, const Matrix& output) const;
  void forward_attention(const ExecutionSpace& space, std::size_t layer);
  void forward_attention_output(const ExecutionSpace& space, std::size_t layer);
  void forward_mlp(const ExecutionSpace& space, std::size_t layer);
  /// Right behind forward_mlp, which in 8 bits leaves the codes of its product.
  void forward_mlp_output(const ExecutionSpace& space, std::size_t layer);
  void recompute_block(const ExecutionSpace& space, std::size_t layer);

  void head(const ExecutionSpace& space, double loss_scale, Sink* sink);
  /// The columns of its output's gradient that the sink wants for a matrix.
  Slice output_columns(int parameter, Sink& sink) const;
  /// Adds the gradient of a norm's input, from gradients_.normed, to that of the hidden state, or overwrites that.
  void backward_norm(const ExecutionSpace& space, int norm, const Matrix& input, const Vector<Value>& inverse_rms,
                     bool adds_to_hidden, Sink& sink, const RmsNormColumns<ExecutionSpace, Scalar>& wanted) const;
  /// From gradients_.hidden to gradients_.normed; gate and up become their gradients.
  void input_gradient_of_mlp(const ExecutionSpace& space, const Linears& linears, const Matrix& gate_up) const;
  /// From gradients_.output to gradients_.normed, by way of gradients_.query_key_value, of which the slices are
  /// written; if there are all of them, it need not hold anything behind this.
  void input_gradient_of_attention(const ExecutionSpace& space, std::size_t layer,
                                   const PackedSlices<ExecutionSpace, Scalar>& slices) const;
  /// In one go where all slices of the gradient were written.
  void deliver_query_key_value(std::size_t layer, const PackedSlices<ExecutionSpace, Scalar>& slices, Sink& sink) const;
  /// Takes the columns of the hidden state's gradient that were written for its own last matrix, and returns those that
  /// it wrote for the matrix which the pass comes to next.
  Slice backward_mlp(const ExecutionSpace& space, std::size_t layer, const Slice& hidden_columns, Sink& sink);
  Slice backward_attention(const ExecutionSpace& space, std::size_t layer, const Slice& hidden_columns, Sink& sink);

  LlamaShape shape_;
  BatchShape batch_;
  Recompute recompute_;
  std::vector<ParameterInfo> parameters_;
  ParameterGroups groups_;
  WeightSource<ExecutionSpace>* source_ = nullptr;
  std::vector<Matrix> weights_;
  std::vector<Matrix> padded_weights_;
  /// Stacks of weights with padding, which is 0 and stays so: its gradients are.
  std::vector<Matrix> padded_stacks_;
  /// intermediate_size and padding: in two bytes an odd size would keep products from the aligned accesses they need.
  std::int64_t width_;
  std::vector<Block> blocks_;
  std::vector<Linears> linears_;  ///< of each block
  Float8Workspace<ExecutionSpace> float8_;
  int embedding_ = 0;
  int final_norm_ = 0;
  int head_ = 0;

  Vector<int> inputs_;
  Vector<int> targets_;
  Vector<int> first_keys_;
  bool has_documents_ = false;  ///< whether the batch came with first keys
  ValueMatrix cosine_;
  ValueMatrix sine_;
  std::vector<Matrix> hidden_;  ///< input of each block, then the last block's output
  std::vector<AttentionActivations> attention_;
  AttentionWorkspace<ExecutionSpace> attention_workspace_;  ///< of both passes
  std::vector<MlpActivations> mlp_;
  Vector<Value> final_inverse_rms_;
  Matrix final_normed_;
  Matrix logits_;  ///< a slice of the tokens x vocabulary
  Vector<Value> losses_;
  Gradients gradients_;
};

}  // namespace Sward
