#pragma once

#include <cstddef>
#include <string>

#include "Sward_Arena.hpp"
#include "Sward_Copy.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_FoldVector.hpp"
#include "Sward_ProcessGroup.hpp"
#include "Sward_ScatterRows.hpp"

namespace Sward {

/// In what form a layer's gradients cross the network.
struct MessageForm {
  bool in_bfloat16 = false;  ///< rounded to the nearest before they are sent, and at each hop
  bool as_rows = false;      ///< only the rows that any rank's tokens occur in; of an embedding's gradient
};

/// The gradients of one layer side by side, so that each layer is one all-reduce.
///
/// Counts the completions of its parameters over all micro-batches of an update: the sum over ranks is started when the
/// last has come, inside the backward pass, while the layers below are still at work.
template <class ExecutionSpace, class Value>
class LayerMessage {
 public:
  using Vector = Kokkos::View<Value*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  using Rows = Kokkos::View<const int*, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  LayerMessage(std::string label, int parameters) : label_(std::move(label)), parameters_(parameters) {}
  /// Where the gradients lie, one behind the other.
  void set_gradients(const Vector& gradients) { gradients_ = gradients; }

  /// Takes memory for the form; without a call the gradients are sent as they lie. Rows have `columns` elements each,
  /// and there are `most_rows` of them at the most.
  void plan_form(Arena<ExecutionSpace>& arena, const MessageForm& form, std::size_t columns, std::size_t most_rows) {
    form_ = form;
    columns_ = columns;
    if (form.as_rows)
      packed_ = arena.template vector<Value>(label_ + " rows", BlockKind::workspace, columns * most_rows);
    if (form.in_bfloat16)
      half_ = arena.template vector<BFloat16>(label_ + " message", BlockKind::workspace, largest_count());
  }

  const std::string& label() const { return label_; }
  Vector gradients() const { return gradients_; }
  /// What the message of an update is at the most; that of rows depends on the tokens.
  std::size_t largest_bytes() const { return largest_count() * element_bytes(); }
  bool sends_rows() const { return form_.as_rows; }

  /// All of the update's completions are to come.
  void begin_update(int micro_batches) { missing_ = parameters_ * micro_batches; }
  /// Before the first completion of an update whose message is of rows: those that occur, each once, the same on all
  /// ranks. They must stay until the message is finished.
  void set_rows(const Rows& rows) { rows_ = rows; }

  /// One parameter of one micro-batch is complete. Whether it was the last one.
  bool complete_parameter() { return --missing_ == 0; }

  /// Behind the last one. Returns the bytes that were given to the group.
  std::size_t start(const ExecutionSpace& space, ProcessGroup& group) {
    const std::string what = "the gradients of " + label_;
    const Vector sent = form_.as_rows ? pack_rows(space) : gradients_;
    if (form_.in_bfloat16) {
      const auto half = Kokkos::subview(half_, std::pair<std::size_t, std::size_t>(0, sent.extent(0)));
      copy(space, fold_vector(sent), fold_vector(half));
      group.start_all_reduce(space, half, what);
    } else {
      group.start_all_reduce(space, sent, what);
    }
    return sent.extent(0) * element_bytes();
  }

  /// Behind the group's wait: puts the sums where the gradients are.
  void finish(const ExecutionSpace& space) {
    const Vector sums = form_.as_rows ? packed_rows() : gradients_;
    const std::pair<std::size_t, std::size_t> sent(0, sums.extent(0));
    if (form_.in_bfloat16) copy(space, fold_vector(Kokkos::subview(half_, sent)), fold_vector(sums));
    if (form_.as_rows) scatter_rows(space, rows_matrix(sums), rows_, gradient_rows());
  }

 private:
  template <class T>
  using Matrix = Kokkos::View<T**, Kokkos::LayoutRight, ExecutionSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

  std::size_t element_bytes() const { return form_.in_bfloat16 ? sizeof(BFloat16) : sizeof(Value); }
  std::size_t largest_count() const { return form_.as_rows ? packed_.extent(0) : gradients_.extent(0); }
  /// The rows of this update.
  Vector packed_rows() const { return Vector(packed_.data(), rows_.extent(0) * columns_); }
  auto gradient_rows() const { return Matrix<Value>(gradients_.data(), gradients_.extent(0) / columns_, columns_); }
  auto rows_matrix(const Vector& packed) const { return Matrix<Value>(packed.data(), rows_.extent(0), columns_); }

  Vector pack_rows(const ExecutionSpace& space) const {
    const Vector packed = packed_rows();
    embedding(space, gradient_rows(), rows_, rows_matrix(packed));
    return packed;
  }

  std::string label_;
  Vector gradients_;
  Vector packed_;
  typename Arena<ExecutionSpace>::template VectorView<BFloat16> half_;
  Rows rows_;
  MessageForm form_;
  std::size_t columns_ = 1;  ///< of a row
  int parameters_;
  int missing_ = 0;
};

}  // namespace Sward
