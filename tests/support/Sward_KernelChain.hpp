#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "Sward_AdamWUpdate.hpp"
#include "Sward_Attention.hpp"
#include "Sward_AttentionBackward.hpp"
#include "Sward_Copy.hpp"
#include "Sward_CrossEntropy.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_EmbeddingBackward.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_Scale.hpp"
#include "Sward_SelectTopRows.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_SquaredNorms.hpp"
#include "Sward_Swiglu.hpp"

namespace Sward::Test {

/// A matrix or vector in a layout; strided ones have gaps between neighbours, and between rows.
template <class Layout>
Layout layout_of(std::size_t rows, std::size_t columns) {
  if constexpr (std::is_same_v<Layout, Kokkos::LayoutStride>) {
    return Layout(rows, 2 * columns + 3, columns, 2);
  } else {
    return Layout(rows, columns);
  }
}
template <class Layout>
Layout layout_of(std::size_t extent) {
  if constexpr (std::is_same_v<Layout, Kokkos::LayoutStride>) {
    return Layout(extent, 3);
  } else {
    return Layout(extent);
  }
}

/// A copy of a matrix or vector in another layout.
template <class Layout, class View>
auto placed(const View& source) {
  using Placed = Kokkos::View<typename View::non_const_data_type, Layout, typename View::memory_space>;
  const auto copied = [&](const Layout& layout) {
    const Placed target("placed", layout);
    if constexpr (is_on_host<Placed>) {
      for_each_element(target, [&](auto... at) { target(at...) = source(at...); });
    } else {
      Kokkos::deep_copy(target, source);
    }
    return target;
  };
  if constexpr (View::rank() == 1) {
    return copied(layout_of<Layout>(source.extent(0)));
  } else {
    return copied(layout_of<Layout>(source.extent(0), source.extent(1)));
  }
}

/// One kernel after the other, on memory of its own in a layout: a step of training without its sense.
template <class Space, class Layout = Kokkos::LayoutRight>
class KernelChain {
  template <class T>
  using MatrixIn = Kokkos::View<T**, Layout, typename Space::memory_space>;
  template <class T>
  using VectorIn = Kokkos::View<T*, Layout, typename Space::memory_space>;
  using Floats = MatrixIn<float>;

  static constexpr std::size_t tokens = 24;
  static constexpr std::size_t hidden = 36;
  static constexpr std::size_t rank = 7;
  static constexpr std::size_t vocabulary = 36;
  static constexpr AttentionShape shape{2, 12, 3, 3, 12};

  static Floats matrix(std::size_t rows, std::size_t columns, std::uint64_t seed, double low = -1) {
    return placed<Layout>(random_matrix<float, Space>(rows, columns, seed, low, 1));
  }
  static VectorIn<float> vector(std::size_t extent, std::uint64_t seed) {
    return placed<Layout>(random_vector<float, Space>(extent, seed, 0.5, 1));
  }

 public:
  explicit KernelChain(std::uint64_t seed)
      : values_(matrix(hidden, hidden, seed)),
        weight_(matrix(hidden, hidden, seed + 1)),
        x_(matrix(tokens, hidden, seed + 2)),
        y_(matrix(tokens, hidden, seed + 3)),
        inverse_rms_("inverse rms", tokens),
        partials_("partials", rms_norm_partial_rows<Space>, hidden),
        gain_(vector(hidden, seed + 4)),
        tokens_(placed<Layout>(
            make_vector<int, Space>(tokens, [&](std::size_t i) { return static_cast<int>((i * i + seed) % 30); }))),
        a_(matrix(160, 180, seed + 5)),
        b_(matrix(180, 170, seed + 6)),
        c_(matrix(160, 170, seed + 7)),
        memory_(hidden, rank),
        sampled_(hidden, rank, Side::columns) {}

  /// All on the instance. Without `with_scan` one kernel is left out, which scans.
  void run(const Space& space, bool with_scan = true) const {
    select(space);
    train(space, with_scan);
    row_norms(space, values_, Side::columns, norms_);
    matrix_product(space, Transpose::no, Transpose::no, 0.5F, a_, b_, 1.0F, c_);
  }

  /// What was written, one list for each output, whose name comes with it.
  std::vector<std::pair<std::string, std::vector<double>>> results() const {
    return {result("norms", norms_),
            result("rows", memory_.rows),
            result("sampled columns", sampled_.rows),
            result("compressed", compressed_),
            result("projected", projected_),
            result("gathered", gathered_),
            result("first moment", first_),
            result("second moment", second_),
            result("weight", weight_),
            result("normed", normed_),
            result("inverse rms", inverse_rms_),
            result("attention", attended_),
            result("logsumexp", logsumexp_),
            result("query gradient", dq_),
            result("key gradient", dk_),
            result("value gradient", dv_),
            result("swiglu", gated_),
            result("gate gradient", dgate_),
            result("input gradient", dx_),
            result("gain gradient", dgain_),
            result("logits gradient", logits_),
            result("losses", losses_),
            result("embedded", embedded_),
            result("table gradient", dtable_),
            result("squares", squares_),
            result("codes", codes_.codes),
            result("scales", codes_.scale)};
  }

  /// The product that is too large for small_matrix_product, and so a library's.
  const Floats& product_by_library() const { return c_; }

 private:
  template <class View>
  static std::pair<std::string, std::vector<double>> result(const char* name, const View& view) {
    const auto host = to_host(view);
    std::vector<double> list;
    for (std::size_t i = 0; i < host.size(); ++i) list.push_back(static_cast<double>(host.data()[i]));
    return {name, list};
  }

  void select(const Space& space) const {
    const AdamStep step{0.9, 0.999, 1e-8, 1, 1.0};
    row_norms(space, values_, Side::rows, norms_);
    select_top_rows(space, norms_, memory_.workspace(), memory_.selection());
    sample_rows(space, Selection::norm_squared_replacement, norms_, Draw{1, 2, 3}, sampled_.workspace(),
                sampled_.selection());
    project_rows(space, memory_.selection(), values_, compressed_);
    project_product(space, memory_.selection(), x_, y_, gathered_, 0.0F, projected_);
    grass_update(space, memory_.selection(), step, 1e-2, 1e-3, Rounding{}, projected_, first_, second_, weight_);
    project_product(space, sampled_.selection(), x_, y_, gathered_, 0.0F, by_columns_);
    grass_update(space, sampled_.selection(), step, 1e-2, 1e-3, Rounding{}, by_columns_, first_of_columns_,
                 second_of_columns_, weight_);
    adamw_update(space, step, 1e-2, 1e-3, Rounding{}, values_, first_of_all_, second_of_all_, weight_);
  }

  void train(const Space& space, bool with_scan) const {
    embedding(space, weight_, tokens_, embedded_);
    rms_norm(space, embedded_, gain_, 1e-5, inverse_rms_, normed_);
    rotary_table(space, 10000.0, RotaryScaling{}, cosine_, sine_);
    rotary_embedding(space, cosine_, sine_, 3, normed_);
    attention(space, shape, normed_, x_, y_, attended_, logsumexp_);
    attention_backward(space, shape, normed_, x_, y_, attended_, logsumexp_, embedded_, delta_, dq_, dk_, dv_);
    swiglu(space, dq_, dk_, gated_);
    swiglu_backward(space, dq_, dk_, dv_, dgate_, dup_);
    rms_norm_backward(space, dgate_, embedded_, gain_, inverse_rms_, dx_, partials_, dgain_);
    matrix_product(space, Transpose::no, Transpose::yes, 1.0F, dx_, weight_, 0.0F, logits_);
    cross_entropy_backward(space, tokens_, 0.1, logits_, losses_);
    if (with_scan) embedding_backward(space, tokens_, dx_, workspace_, dtable_);
    copy(space, dtable_, dtable_copy_);
    scale(space, dtable_copy_, 3.0F);
    squared_norms(space, losses_, VectorParts{1, {tokens}}, partial_squares_, squares_);
    quantize_rows(space, dv_, codes_);
  }

  Floats values_, weight_, x_, y_;
  Vector<float, Space> inverse_rms_;
  Matrix<float, Space> partials_;
  VectorIn<float> gain_;
  VectorIn<int> tokens_;
  Floats a_, b_, c_;
  SelectionMemory<Space> memory_, sampled_;

  VectorIn<double> norms_{"norms", layout_of<Layout>(hidden)};
  Floats compressed_{"compressed", layout_of<Layout>(rank, hidden)};
  Floats gathered_{"gathered", layout_of<Layout>(tokens, rank)};
  Floats projected_{"projected", layout_of<Layout>(rank, hidden)};
  Floats by_columns_{"projected", layout_of<Layout>(hidden, rank)};
  Floats first_{"first moment", layout_of<Layout>(rank, hidden)};
  Floats second_{"second moment", layout_of<Layout>(rank, hidden)};
  Floats first_of_columns_{"first moment", layout_of<Layout>(hidden, rank)};
  Floats second_of_columns_{"second moment", layout_of<Layout>(hidden, rank)};
  Floats first_of_all_{"first moment", layout_of<Layout>(hidden, hidden)};
  Floats second_of_all_{"second moment", layout_of<Layout>(hidden, hidden)};

  Floats embedded_{"embedded", layout_of<Layout>(tokens, hidden)};
  Floats normed_{"normed", layout_of<Layout>(tokens, hidden)};
  Floats cosine_{"cosine", layout_of<Layout>(12, 6)};
  Floats sine_{"sine", layout_of<Layout>(12, 6)};
  Floats attended_{"attended", layout_of<Layout>(tokens, hidden)};
  Floats logsumexp_{"logsumexp", layout_of<Layout>(tokens, 3)};
  Floats delta_{"delta", layout_of<Layout>(tokens, 3)};
  Floats dq_{"query gradient", layout_of<Layout>(tokens, hidden)};
  Floats dk_{"key gradient", layout_of<Layout>(tokens, hidden)};
  Floats dv_{"value gradient", layout_of<Layout>(tokens, hidden)};
  Floats gated_{"swiglu", layout_of<Layout>(tokens, hidden)};
  Floats dgate_{"gate gradient", layout_of<Layout>(tokens, hidden)};
  Floats dup_{"up gradient", layout_of<Layout>(tokens, hidden)};
  Floats dx_{"input gradient", layout_of<Layout>(tokens, hidden)};
  VectorIn<float> dgain_{"gain gradient", layout_of<Layout>(hidden)};
  Floats logits_{"logits", layout_of<Layout>(tokens, vocabulary)};
  VectorIn<float> losses_{"losses", layout_of<Layout>(tokens)};
  VectorIn<int> workspace_{"workspace", layout_of<Layout>(embedding_workspace_size(tokens, vocabulary))};
  Floats dtable_{"table gradient", layout_of<Layout>(vocabulary, hidden)};
  Floats dtable_copy_{"copy", layout_of<Layout>(vocabulary, hidden)};
  VectorIn<double> squares_{"squares", layout_of<Layout>(1)};
  VectorIn<double> partial_squares_{"partial squares", layout_of<Layout>(part_sums_workspace<Space>)};
  Float8Matrix<MatrixIn<Float8>, VectorIn<float>> codes_{MatrixIn<Float8>("codes", layout_of<Layout>(tokens, hidden)),
                                                         VectorIn<float>("scales", layout_of<Layout>(tokens))};
};

}  // namespace Sward::Test
