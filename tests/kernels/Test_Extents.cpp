#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "Sward_AdamUpdate.hpp"
#include "Sward_AdamWUpdate.hpp"
#include "Sward_ApplyRowUpdate.hpp"
#include "Sward_Copy.hpp"
#include "Sward_CrossEntropy.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_EmbeddingBackward.hpp"
#include "Sward_Float8Product.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_LaunchRecording.hpp"
#include "Sward_PackShares.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RotaryAttention.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_ScatterRows.hpp"
#include "Sward_SelectTopRows.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_SquaredNorms.hpp"
#include "Sward_SwigluProduct.hpp"
#include "Sward_TransposeCodes.hpp"
#include "Sward_UnpackShares.hpp"
#include "Sward_Views.hpp"

// Every kernel of several views: what does not fit is named, with what it has and what was wanted, before anything is
// launched. Checks are made on the host, so that one execution space shows them all.

namespace Sward::Test {
namespace {

using Space = Kokkos::Serial;
using Floats = Matrix<float, Space>;
using Codes = Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>>;

struct Case {
  std::string message;  ///< behind "Sward::"
  std::function<void(const Space&)> call;
};

Floats of(std::size_t rows, std::size_t columns) { return Floats("matrix", rows, columns); }
template <class T = float>
Vector<T, Space> list(std::size_t extent) {
  return Vector<T, Space>("list", extent);
}
Matrix<BFloat16, Space> halves(std::size_t rows, std::size_t columns) { return {"halves", rows, columns}; }
Codes codes(std::size_t rows, std::size_t columns, std::size_t scales) {
  return {Matrix<Float8, Space>("codes", rows, columns), list(scales)};
}

constexpr AdamStep step{0.9, 0.999, 1e-8, 1};
constexpr auto no = Transpose::no;
constexpr auto rows = Side::rows;

/// Three of as many rows as wanted, and workspace for some.
struct Three {
  SelectionMemory<Space> memory = given_selection<Space>({0, 1, 2}, {1, 1, 1}, 9, Side::rows);
  RowSelection<Space> of(int extent) const {
    RowSelection<Space> selection = memory.selection();
    selection.extent = extent;
    return selection;
  }
  SelectionWorkspace<Space> workspace(std::size_t extent) const {
    const std::pair<std::size_t, std::size_t> first(0, extent);
    return {Kokkos::subview(memory.keys, first), Kokkos::subview(memory.counts, first)};
  }
};

std::vector<Case> of_selection() {
  const auto norms = list<double>(8);
  const Three three;
  return {
      {"row_norms: norms has extents (9), wanted (8)",
       [](const Space& s) { row_norms(s, of(8, 5), rows, list<double>(9)); }},
      {"select_top_rows: norms has extents (8), wanted (9)",
       [=](const Space& s) { select_top_rows(s, norms, three.workspace(9), three.of(9)); }},
      {"select_top_rows: workspace has extents (7, 7), wanted (8, 8)",
       [=](const Space& s) { select_top_rows(s, norms, three.workspace(7), three.of(8)); }},
      {"sample_rows: norms has extents (8), wanted (9)",
       [=](const Space& s) {
         sample_rows(s, Selection::norm, norms, {1, 2, 3}, three.workspace(9), three.of(9));
       }},
      {"project_rows: the selected side of values has extents (7), wanted (8)",
       [=](const Space& s) { project_rows(s, three.of(8), of(7, 5), of(3, 5)); }},
      {"project_rows: compressed has extents (3, 4), wanted (3, 5)",
       [=](const Space& s) { project_rows(s, three.of(8), of(8, 5), of(3, 4)); }},
      {"project_product: input has extents (5), wanted (4)",
       [=](const Space& s) { project_product(s, three.of(8), of(4, 8), of(5, 6), of(4, 3), 0, of(3, 6)); }},
      {"project_product: the selected factor has extents (8), wanted (9)",
       [=](const Space& s) { project_product(s, three.of(9), of(4, 8), of(4, 6), of(4, 3), 0, of(3, 6)); }},
      {"project_product: gathered has extents (4, 2), wanted (4, 3)",
       [=](const Space& s) { project_product(s, three.of(8), of(4, 8), of(4, 6), of(4, 2), 0, of(3, 6)); }},
      {"project_product: gradient has extents (6, 3), wanted (3, 6)",
       [=](const Space& s) { project_product(s, three.of(8), of(4, 8), of(4, 6), of(4, 3), 0, of(6, 3)); }},
      {"project_gathered: the other factor has extents (5), wanted (4)",
       [](const Space& s) { project_gathered(s, rows, of(4, 3), of(5, 6), 0, of(3, 6)); }},
      {"project_gathered: gradient has extents (3, 6), wanted (6, 3)",
       [](const Space& s) { project_gathered(s, Side::columns, of(4, 3), of(4, 6), 0, of(3, 6)); }},
      {"gather_columns: the gathered columns has extents (4, 2), wanted (4, 3)",
       [](const Space& s) { gather_columns("Sward::gather_columns", s, list<int>(3), of(4, 8), of(4, 2)); }},
      {"scatter_rows: source has extents (3, 4), wanted (2, 5)",
       [](const Space& s) { scatter_rows(s, of(3, 4), list<int>(2), of(8, 5)); }},
      {"matrix_product: op(B) has extents (6, 7), wanted (5, 7)",
       [](const Space& s) { matrix_product(s, no, no, 1, of(4, 5), of(6, 7), 0, of(4, 7)); }},
      {"matrix_product: C has extents (3, 7), wanted (4, 7)",
       [](const Space& s) { matrix_product(s, no, no, 1, of(4, 5), of(5, 7), 0, of(3, 7)); }},
      {"matrix_product: S has extents (4, 6), wanted (4, 7)",
       [](const Space& s) { matrix_product(s, no, no, 1, of(4, 5), of(5, 7), 0, of(4, 6), of(4, 7)); }},
  };
}

std::vector<Case> of_updates() {
  const Rounding rounding;
  const Three three;
  const WeightShares<Space, Floats> shares{of(6, 4), Side::columns, true, {}, 2};
  return {
      {"adam_update: first_moment has extents (3, 4), wanted (3, 5)",
       [=](const Space& s) { adam_update(s, step, rounding, of(3, 5), of(3, 4), of(3, 5), of(3, 5)); }},
      {"adam_update: second_moment has extents (2, 5), wanted (3, 5)",
       [=](const Space& s) { adam_update(s, step, rounding, of(3, 5), of(3, 5), of(2, 5), of(3, 5)); }},
      {"adam_update: step_output has extents (5, 3), wanted (3, 5)",
       [=](const Space& s) { adam_update(s, step, rounding, of(3, 5), of(3, 5), of(3, 5), of(5, 3)); }},
      {"apply_row_update: step has extents (2, 5), wanted (3, 5)",
       [=](const Space& s) { apply_row_update(s, three.of(8), of(2, 5), 1, 0, rounding, of(8, 5)); }},
      {"apply_row_update: the selected side of weight has extents (7), wanted (8)",
       [=](const Space& s) { apply_row_update(s, three.of(8), of(3, 5), 1, 0, rounding, of(7, 5)); }},
      {"grass_update: first_moment has extents (3, 4), wanted (3, 5)",
       [=](const Space& s) {
         grass_update(s, three.of(8), step, 1, 0, rounding, of(3, 5), of(3, 4), of(3, 5), of(8, 5));
       }},
      {"grass_update: gradient has extents (3, 5), wanted (3, 6)",
       [=](const Space& s) {
         grass_update(s, three.of(8), step, 1, 0, rounding, of(3, 5), of(3, 5), of(3, 5), of(8, 6));
       }},
      {"adamw_update: second_moment has extents (8, 4), wanted (8, 5)",
       [=](const Space& s) { adamw_update(s, step, 1, 0, rounding, of(8, 5), of(8, 5), of(8, 4), of(8, 5)); }},
      {"adamw_update: gradient has extents (8, 5), wanted (7, 5)",
       [=](const Space& s) { adamw_update(s, step, 1, 0, rounding, of(8, 5), of(8, 5), of(8, 5), of(7, 5)); }},
      {"pack_shares: pieces has extents (9), wanted (8)", [=](const Space& s) { pack_shares(s, shares, 0, of(3, 9)); }},
      {"unpack_shares: pieces has extents (7), wanted (8)",
       [=](const Space& s) { unpack_shares(s, shares, 0, of(3, 7)); }},
  };
}

std::vector<Case> of_small_kernels() {
  const auto partials = list<double>(part_sums_workspace<Space>);
  return {
      {"copy: target has extents (4, 6), wanted (4, 5)", [](const Space& s) { copy(s, of(4, 5), of(4, 6)); }},
      {"squared_norms: values has extents (9), wanted (10)",
       [=](const Space& s) {
         squared_norms(s, list(9), VectorParts{1, {10}}, partials, list<double>(1));
       }},
      {"squared_norms: sums has extents (2), wanted (1)",
       [=](const Space& s) {
         squared_norms(s, list(10), VectorParts{1, {10}}, partials, list<double>(2));
       }},
      {"part_sums: partials has extents (5), wanted (128)",
       [=](const Space& s) {
         part_sums(s, list(10), VectorParts{1, {10}}, list<double>(5), list<double>(1));
       }},
      {"quantize_rows: Q has extents (4, 15), wanted (4, 16)",
       [](const Space& s) { quantize_rows(s, of(4, 16), codes(4, 15, 4)); }},
      {"quantize_rows: scale has extents (3), wanted (4)",
       [](const Space& s) { quantize_rows(s, of(4, 16), codes(4, 16, 3)); }},
      {"quantize_rows: f has extents (15), wanted (16)",
       [](const Space& s) { quantize_rows(s, of(4, 16), list(15), codes(4, 16, 4)); }},
      {"transpose_codes: Q has extents (4, 16), wanted (16, 4)",
       [](const Space& s) {
         transpose_codes(s, Matrix<Float8, Space>("C", 4, 16), Matrix<Float8, Space>("Q", 4, 16));
       }},
      {"float8_product: A has extents (5, 16), wanted (4, 16)",
       [](const Space& s) { float8_product(s, codes(5, 16, 5), codes(16, 16, 16), 0, halves(4, 16), halves(4, 16)); }},
      {"float8_product: B has extents (16, 32), wanted (16, 16)",
       [](const Space& s) { float8_product(s, codes(4, 16, 4), codes(16, 32, 16), 0, halves(4, 16), halves(4, 16)); }},
      {"float8_product: S has extents (3, 16), wanted (4, 16)",
       [](const Space& s) { float8_product(s, codes(4, 16, 4), codes(16, 16, 16), 0, halves(3, 16), halves(4, 16)); }},
  };
}

std::vector<Case> of_transformers() {
  const auto norm_backward = [](const Space& s, std::size_t above, std::size_t weight, std::size_t inverse_rms,
                                std::size_t below, std::size_t partials, std::size_t weight_gradient) {
    rms_norm_backward(s, of(4, above), of(4, 6), list(weight), list(inverse_rms), of(4, below), of(0, partials),
                      list(weight_gradient));
  };
  return {
      {"embedding: output has extents (4, 5), wanted (4, 6)",
       [](const Space& s) { embedding(s, of(9, 6), list<int>(4), of(4, 5)); }},
      {"embedding_backward: output_gradient has extents (4, 5), wanted (4, 6)",
       [](const Space& s) { embedding_backward(s, list<int>(4), of(4, 5), list<int>(18), of(9, 6)); }},
      {"embedding_backward: workspace has extents (17), wanted (18)",
       [](const Space& s) { embedding_backward(s, list<int>(4), of(4, 6), list<int>(17), of(9, 6)); }},
      {"rms_norm: weight has extents (5), wanted (6)",
       [](const Space& s) { rms_norm(s, of(4, 6), list(5), 0, list(4), of(4, 6)); }},
      {"rms_norm: inverse_rms has extents (3), wanted (4)",
       [](const Space& s) { rms_norm(s, of(4, 6), list(6), 0, list(3), of(4, 6)); }},
      {"rms_norm: output has extents (4, 7), wanted (4, 6)",
       [](const Space& s) { rms_norm(s, of(4, 6), list(6), 0, list(4), of(4, 7)); }},
      {"rms_norm_backward: output_gradient has extents (4, 5), wanted (4, 6)",
       [=](const Space& s) { norm_backward(s, 5, 6, 4, 6, 6, 6); }},
      {"rms_norm_backward: weight has extents (5), wanted (6)",
       [=](const Space& s) { norm_backward(s, 6, 5, 4, 6, 6, 6); }},
      {"rms_norm_backward: inverse_rms has extents (5), wanted (4)",
       [=](const Space& s) { norm_backward(s, 6, 6, 5, 6, 6, 6); }},
      {"rms_norm_backward: input_gradient has extents (4, 5), wanted (4, 6)",
       [=](const Space& s) { norm_backward(s, 6, 6, 4, 5, 6, 6); }},
      {"rms_norm_backward: partials has extents (0, 5), wanted (0, 6)",
       [=](const Space& s) { norm_backward(s, 6, 6, 4, 6, 5, 6); }},
      {"rms_norm_backward: weight_gradient has extents (5), wanted (6)",
       [=](const Space& s) { norm_backward(s, 6, 6, 4, 6, 6, 5); }},
      {"rotary_table: sine has extents (4, 2), wanted (4, 3)",
       [](const Space& s) { rotary_table(s, 1e4, RotaryScaling{}, of(4, 3), of(4, 2)); }},
      {"rotary_embedding: sine has extents (4, 2), wanted (4, 3)",
       [](const Space& s) { rotary_embedding(s, of(4, 3), of(4, 2), 2, of(8, 12)); }},
      {"rotary_embedding_backward: x has extents (8, 11), wanted (8, 12)",
       [](const Space& s) { rotary_embedding_backward(s, of(4, 3), of(4, 3), 2, of(8, 11)); }},
      {"swiglu: up has extents (4, 5), wanted (4, 6)", [](const Space& s) { swiglu(s, of(4, 6), of(4, 5), of(4, 6)); }},
      {"swiglu: output has extents (3, 6), wanted (4, 6)",
       [](const Space& s) { swiglu(s, of(4, 6), of(4, 6), of(3, 6)); }},
      {"swiglu_backward: output_gradient has extents (4, 5), wanted (4, 6)",
       [](const Space& s) { swiglu_backward(s, of(4, 6), of(4, 6), of(4, 5), of(4, 6), of(4, 6)); }},
      {"swiglu_backward: up_gradient has extents (5, 6), wanted (4, 6)",
       [](const Space& s) { swiglu_backward(s, of(4, 6), of(4, 6), of(4, 6), of(4, 6), of(5, 6)); }},
      {"swiglu_product: weight has extents (12, 4), wanted (12, 5)",
       [](const Space& s) { swiglu_product(s, of(4, 5), of(12, 4), of(4, 12), of(4, 6)); }},
      {"swiglu_product: product has extents (3), wanted (4)",
       [](const Space& s) { swiglu_product(s, of(4, 5), of(12, 5), of(4, 12), of(3, 6)); }},
      {"swiglu_product_backward: gate_up has extents (4, 11), wanted (4, 12)",
       [](const Space& s) { swiglu_product_backward(s, of(4, 5), of(5, 6), of(4, 6), of(4, 11)); }},
      {"swiglu_product_backward: workspace has extents (4, 5), wanted (4, 6)",
       [](const Space& s) { swiglu_product_backward(s, of(4, 5), of(5, 6), of(4, 5), of(4, 12)); }},
      {"cross_entropy: targets has extents (3), wanted (4)",
       [](const Space& s) { cross_entropy(s, of(4, 6), list<int>(3), list(4)); }},
      {"cross_entropy_backward: losses has extents (5), wanted (4)",
       [](const Space& s) { cross_entropy_backward(s, list<int>(4), 1, of(4, 6), list(5)); }},
  };
}

/// Of 8 tokens, 2 heads of 6 columns, and one head of keys and values; which operand has how many columns more.
struct AttentionOperands {
  static constexpr AttentionShape shape{2, 4, 2, 1, 6};
  Floats query = of(8, 12), key = of(8, 6), value = of(8, 6), output = of(8, 12), logsumexp = of(8, 2);
  Floats above = of(8, 12), delta = of(8, 2), dq = of(8, 12), dk = of(8, 6), dv = of(8, 6);
  Floats cosine = of(4, 3), sine = of(4, 3), packed = of(8, 24), packed_gradient = of(8, 24);
  Vector<int, Space> first_keys = list<int>(8);

  void forward(const Space& s) const { attention(s, shape, first_keys, query, key, value, output, logsumexp); }
  void backward(const Space& s) const {
    attention_backward(s, shape, first_keys, query, key, value, output, logsumexp, above, delta, dq, dk, dv);
  }
  void rotary(const Space& s) const {
    rotary_attention(s, shape, first_keys, cosine, sine, packed, output, logsumexp, {});
  }
  void rotary_backward(const Space& s) const {
    rotary_attention_backward(s, shape, first_keys, cosine, sine, packed, output, logsumexp, above, delta,
                              packed_gradient, {});
  }
};

Case attention_case(const std::string& message, Floats AttentionOperands::*operand,
                    void (AttentionOperands::*call)(const Space&) const) {
  AttentionOperands operands;
  operands.*operand = of((operands.*operand).extent(0), (operands.*operand).extent(1) + 1);
  return {message, [=](const Space& s) { (operands.*call)(s); }};
}

std::vector<Case> of_attention() {
  using Operands = AttentionOperands;
  std::vector<Case> cases{
      attention_case("attention: query has extents (8, 13), wanted (8, 12)", &Operands::query, &Operands::forward),
      attention_case("attention: key has extents (8, 7), wanted (8, 6)", &Operands::key, &Operands::forward),
      attention_case("attention: value has extents (8, 7), wanted (8, 6)", &Operands::value, &Operands::forward),
      attention_case("attention: output has extents (8, 13), wanted (8, 12)", &Operands::output, &Operands::forward),
      attention_case("attention: logsumexp has extents (8, 3), wanted (8, 2)", &Operands::logsumexp,
                     &Operands::forward),
      attention_case("attention_backward: output_gradient has extents (8, 13), wanted (8, 12)", &Operands::above,
                     &Operands::backward),
      attention_case("attention_backward: delta has extents (8, 3), wanted (8, 2)", &Operands::delta,
                     &Operands::backward),
      attention_case("attention_backward: query_gradient has extents (8, 13), wanted (8, 12)", &Operands::dq,
                     &Operands::backward),
      attention_case("attention_backward: key_gradient has extents (8, 7), wanted (8, 6)", &Operands::dk,
                     &Operands::backward),
      attention_case("attention_backward: value_gradient has extents (8, 7), wanted (8, 6)", &Operands::dv,
                     &Operands::backward),
      attention_case("rotary_attention: cosine has extents (4, 4), wanted (4, 3)", &Operands::cosine,
                     &Operands::rotary),
      attention_case("rotary_attention: packed has extents (8, 25), wanted (8, 24)", &Operands::packed,
                     &Operands::rotary),
      attention_case("rotary_attention: output has extents (8, 13), wanted (8, 12)", &Operands::output,
                     &Operands::rotary),
      attention_case("rotary_attention_backward: sine has extents (4, 4), wanted (4, 3)", &Operands::sine,
                     &Operands::rotary_backward),
      attention_case("rotary_attention_backward: delta has extents (8, 3), wanted (8, 2)", &Operands::delta,
                     &Operands::rotary_backward),
      attention_case("rotary_attention_backward: packed_gradient has extents (8, 25), wanted (8, 24)",
                     &Operands::packed_gradient, &Operands::rotary_backward),
  };
  AttentionOperands few;
  few.first_keys = list<int>(7);
  cases.push_back({"attention: first_keys has extents (7), wanted (8)", [=](const Space& s) { few.forward(s); }});
  return cases;
}

/// Of the same 8 tokens, whose gradient has 12 + 6 + 6 columns; the slices' memory is never touched.
std::vector<Case> of_packed_gradient() {
  using Slice = ColumnSlice<Space, float>;
  using Copies = PackedGradientCopies<Space, float, Vector<float, Space>, Codes>;
  const auto slice = [](std::size_t tokens, std::size_t columns) {
    return Slice{Slice::Columns(nullptr, 3), Slice::Values(nullptr, tokens, columns)};
  };
  const auto with = [](const std::string& message, const Copies& copies) {
    return Case{message, [=](const Space& s) {
                  rotary_attention_backward(s, AttentionOperands::shape, WholeSequence(), of(4, 3), of(4, 3), of(8, 24),
                                            of(8, 12), of(8, 2), of(8, 12), of(8, 2), of(8, 24), {}, copies);
                }};
  };
  const std::string function = "rotary_attention_backward: ";
  const auto right = codes(8, 24, 8);
  return {
      with(function + "wanted columns of queries has extents (7, 3), wanted (8, 3)",
           {{slice(7, 3), {}, {}}, list(24), right}),
      with(function + "wanted columns of keys has extents (8, 4), wanted (8, 3)",
           {{{}, slice(8, 4), {}}, list(24), right}),
      with(function + "wanted columns of values has extents (8, 2), wanted (8, 3)",
           {{{}, {}, slice(8, 2)}, list(24), right}),
      with(function + "factors has extents (23), wanted (24)", {{}, list(23), right}),
      with(function + "codes has extents (8, 25), wanted (8, 24)", {{}, list(24), codes(8, 25, 8)}),
  };
}

std::string refusal_of(const Case& wrong) {
  try {
    wrong.call(Space());
    return "nothing was refused";
  } catch (const ExtentError& error) {
    return error.what();
  }
}

void all_are_refused(const std::vector<Case>& cases) {
  const LaunchRecording recording;
  for (const Case& wrong : cases) EXPECT_EQ(refusal_of(wrong), "Sward::" + wrong.message);
  // Other launches are those of Kokkos, which sets new memory to zero.
  for (const Launch& launch : recording.launches())
    if (launch.label.rfind("Sward::", 0) == 0) ADD_FAILURE() << "launched: " << launch.label;
}

TEST(Extents, AreNamedBySelectionAndProjection) { all_are_refused(of_selection()); }
TEST(Extents, AreNamedByUpdates) { all_are_refused(of_updates()); }
TEST(Extents, AreNamedBySmallKernels) { all_are_refused(of_small_kernels()); }
TEST(Extents, AreNamedByTransformers) { all_are_refused(of_transformers()); }
TEST(Extents, AreNamedByAttention) { all_are_refused(of_attention()); }
TEST(Extents, AreNamedByPackedGradients) { all_are_refused(of_packed_gradient()); }

}  // namespace
}  // namespace Sward::Test
