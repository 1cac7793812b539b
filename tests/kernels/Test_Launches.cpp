#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "Sward_AdamUpdate.hpp"
#include "Sward_AdamWUpdate.hpp"
#include "Sward_AgeSlots.hpp"
#include "Sward_ApplyRowUpdate.hpp"
#include "Sward_Attention.hpp"
#include "Sward_AttentionBackward.hpp"
#include "Sward_Copy.hpp"
#include "Sward_CopyNumbers.hpp"
#include "Sward_CrossEntropy.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_EmbeddingBackward.hpp"
#include "Sward_Fill.hpp"
#include "Sward_FindKeptSlots.hpp"
#include "Sward_Float8Product.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_LaunchRecording.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_MoveSlots.hpp"
#include "Sward_NormalValues.hpp"
#include "Sward_OwnedMoment.hpp"
#include "Sward_PackShares.hpp"
#include "Sward_ProjectGathered.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RmsNormCodes.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_Scale.hpp"
#include "Sward_SelectTopRows.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_SquaredNorms.hpp"
#include "Sward_Swiglu.hpp"
#include "Sward_SwigluCodes.hpp"
#include "Sward_SwigluProduct.hpp"
#include "Sward_TestSpaces.hpp"
#include "Sward_TransposeCodes.hpp"
#include "Sward_UnpackShares.hpp"

// The contract of every kernel, seen through Kokkos Tools: labels with our prefix, launches on the instance that was
// given, no allocation and no fence.

namespace Sward::Test {
namespace {

constexpr std::size_t tokens = 8;
constexpr std::size_t hidden = 12;
constexpr std::size_t rank = 4;
constexpr AdamStep adam_step{0.9, 0.999, 1e-8, 1, 1.0};

template <class Space>
struct Operands {
  Matrix<float, Space> a = random_matrix<float, Space>(tokens, hidden, 1);
  Matrix<float, Space> b = random_matrix<float, Space>(tokens, hidden, 2);
  Matrix<float, Space> c = random_matrix<float, Space>(tokens, hidden, 3);
  Matrix<float, Space> d = random_matrix<float, Space>(tokens, hidden, 4);
  Matrix<float, Space> e = random_matrix<float, Space>(tokens, hidden, 5);
  Matrix<float, Space> f = random_matrix<float, Space>(tokens, hidden, 6);
  Matrix<float, Space> square = random_matrix<float, Space>(hidden, hidden, 7);
  Matrix<float, Space> by_head = random_matrix<float, Space>(tokens, 2, 8);
  Matrix<float, Space> delta = random_matrix<float, Space>(tokens, 2, 9);
  Matrix<float, Space> compressed = random_matrix<float, Space>(rank, hidden, 10);
  Matrix<float, Space> first = random_matrix<float, Space>(rank, hidden, 11, 0.1, 1);
  Matrix<float, Space> second = random_matrix<float, Space>(rank, hidden, 12, 0.1, 1);
  Matrix<float, Space> gathered = random_matrix<float, Space>(tokens, rank, 13);
  Matrix<float, Space> gathered_first = random_matrix<float, Space>(tokens, rank, 20, 0.1, 1);
  Matrix<float, Space> gathered_second = random_matrix<float, Space>(tokens, rank, 21, 0.1, 1);
  Matrix<float, Space> cosine = random_matrix<float, Space>(4, 3, 14);
  Matrix<float, Space> sine = random_matrix<float, Space>(4, 3, 15);
  Vector<float, Space> weight = random_vector<float, Space>(hidden, 16);
  Vector<float, Space> weight_gradient = random_vector<float, Space>(hidden, 17);
  Vector<float, Space> by_token = random_vector<float, Space>(tokens, 18, 0.5, 1);
  Vector<double, Space> norms = random_vector<double, Space>(hidden, 19, 0.5, 1);
  Vector<int, Space> targets = make_vector<int, Space>(tokens, [](std::size_t i) { return static_cast<int>(i); });
  Matrix<float, Space> partials{"partials", rms_norm_partial_rows<Space>, hidden};
  Vector<int, Space> places{"places", embedding_workspace_size(tokens, hidden)};
  Matrix<float, Space> pieces{"pieces", 2, 6 * rank};
  Vector<double, Space> squares{"squares", 1};
  Vector<double, Space> partial_squares{"partial squares", part_sums_workspace<Space>};
  SelectionMemory<Space> memory{hidden, rank};
  SelectionMemory<Space> of_columns = given_selection<Space>({0, 3, 3, 7}, {1, 1, 1, 1}, hidden, Side::columns);
  OwnedMoment<EightBits, Space> codes{tokens, hidden}, gathered_codes{tokens, rank};
  Vector<int, Space> rows_before{"rows before", rank}, kept_slots{"kept slots", rank}, ages{"ages", rank};
  Rounding rounding{true, {1, 2, 3}};
  Matrix<BFloat16, Space> halves = random_matrix<BFloat16, Space>(16, 16, 20);
  Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>> in_8_bits{Matrix<Float8, Space>("codes", 16, 16),
                                                                      Vector<float, Space>("scale", 16)};
  Matrix<Float8, Space> transposed_codes{"transposed codes", 16, 16};
  Vector<float, Space> powers = make_vector<float, Space>(16, [](std::size_t) { return 0.5; });
};

template <class Space>
void call_selection_kernels(const Space& space, const Operands<Space>& x) {
  const auto selection = x.memory.selection();
  const auto workspace = x.memory.workspace();
  row_norms(space, x.square, Side::rows, x.norms);
  row_norms(space, x.square, Side::columns, x.norms);
  select_top_rows(space, x.norms, workspace, selection);
  for (const Selection scheme : {Selection::norm, Selection::uniform, Selection::norm_squared_replacement})
    sample_rows(space, scheme, x.norms, Draw{1, 2, 3}, workspace, selection);
  project_rows(space, selection, x.square, x.compressed);
  project_product(space, selection, x.a, x.b, x.gathered, 0.0F, x.compressed);
  project_gathered(space, Side::rows, x.gathered, x.b, 0.0F, x.compressed);
  adam_update(space, adam_step, Rounding{}, x.compressed, x.first, x.second, x.compressed);
  apply_row_update(space, selection, x.compressed, 1e-3, 1e-4, Rounding{}, x.square);
  adamw_update(space, adam_step, 1e-3, 1e-4, Rounding{}, x.a, x.b, x.c, x.d);
  adamw_update(space, adam_step, 1e-3, 1e-4, x.rounding, x.a, x.codes.storage, x.codes.storage, x.d);
  grass_update(space, selection, adam_step, 1e-3, 1e-4, Rounding{}, x.compressed, x.first, x.second, x.square);
  grass_update(space, x.of_columns.selection(), adam_step, 1e-3, 1e-4, x.rounding, x.gathered, x.gathered_codes.storage,
               x.gathered_codes.storage, x.a);
}

/// What moments that outlive a refresh take.
template <class Space>
void call_slot_kernels(const Space& space, const Operands<Space>& x) {
  copy_numbers(space, x.of_columns.rows, x.rows_before);
  find_kept_slots(space, x.rows_before, x.memory.rows, x.kept_slots);
  move_slots(space, Side::rows, x.kept_slots, x.first);
  move_slots(space, Side::columns, x.kept_slots, x.gathered_first);
  age_slots(space, AgeingRule{0.9, 0.999, 20}, x.memory.scale, x.ages, x.of_columns.scale);
}

/// The updates of a layer, by rows, by columns, and in full.
template <class Space>
void update_layer(const Space& space, const Operands<Space>& x) {
  using Operand = Matrix<float, Space>;
  using Update = RowUpdate<Space, Operand, Operand, Operand, Operand>;
  UpdateBatch<Update, updates_of_a_launch<Update>> batch;
  batch.add(grass_row_update(x.memory.selection(), adam_step, 1e-3, 1e-4, x.rounding, x.compressed, x.first, x.second,
                             x.square));
  batch.add(grass_row_update(x.of_columns.selection(), adam_step, 1e-3, 1e-4, x.rounding, x.gathered, x.gathered_first,
                             x.gathered_second, x.a));
  batch.add(adamw_row_update<Space>(adam_step, 1e-3, 1e-4, x.rounding, x.d, x.e, x.f, x.b));
  launch_updates("Sward::grass_update", space, batch);
}

/// Of two ranks, which have 6 rows each of 4 columns.
template <class Space>
void call_sharing_kernels(const Space& space, const Operands<Space>& x) {
  const WeightShares<Space, Matrix<float, Space>> shares{x.square, Side::columns, false, x.of_columns.rows, 6};
  pack_shares(space, shares, 1, Kokkos::subview(x.pieces, std::pair(1, 2), Kokkos::ALL));
  unpack_shares(space, shares, 1, x.pieces);
}

template <class Space>
void call_transformer_kernels(const Space& space, const Operands<Space>& x) {
  const AttentionShape shape{2, 4, 2, 2, 6};
  embedding(space, x.square, x.targets, x.a);
  rms_norm(space, x.a, x.weight, 1e-6, x.by_token, x.b);
  rotary_table(space, 10000.0, RotaryScaling{}, x.cosine, x.sine);
  rotary_embedding(space, x.cosine, x.sine, 2, x.b);
  attention(space, shape, x.a, x.b, x.c, x.d, x.by_head);
  attention_backward(space, shape, x.a, x.b, x.c, x.d, x.by_head, x.e, x.delta, x.f, x.d, x.c);
  rotary_embedding_backward(space, x.cosine, x.sine, 2, x.b);
  swiglu(space, x.a, x.b, x.c);
  swiglu_backward(space, x.a, x.b, x.c, x.d, x.e);
  rms_norm(space, x.halves, Kokkos::subview(x.halves, 0, Kokkos::ALL), 1e-6, x.powers, x.halves, x.in_8_bits);
  swiglu(space, x.halves, x.halves, x.halves, x.in_8_bits);
  swiglu_backward(space, Kokkos::subview(x.halves, Kokkos::ALL, std::pair(0, 8)), x.halves, x.powers, x.in_8_bits);
  swiglu_product(space, x.a, x.square, x.c, gate_columns(x.d));
  swiglu_product_backward(space, x.a, gate_columns(x.square), gate_columns(x.d), x.c);
  rms_norm_backward(space, x.a, x.b, x.weight, x.by_token, x.c, x.partials, x.weight_gradient);
  rms_norm_backward(space, x.a, x.b, x.weight, x.by_token, x.c, x.partials, x.weight_gradient,
                    {{x.of_columns.rows, x.gathered}, {}});
  cross_entropy(space, x.a, x.targets, x.by_token);
  cross_entropy_backward(space, x.targets, 1.0F, x.a, x.by_token);
  embedding_backward(space, x.targets, x.a, x.places, x.square);
}

template <class Space>
void call_basic_kernels(const Space& space, const Operands<Space>& x) {
  copy(space, x.a, x.b);
  fill(space, x.c, 1.0F);
  fill(space, x.by_token, 1.0F);
  scale(space, x.c, 2.0F);
  squared_norms(space,
                Kokkos::View<float*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>(x.a.data(), tokens * hidden),
                VectorParts{1, {tokens * hidden}}, x.partial_squares, x.squares);
  part_sums(space, x.by_token, VectorParts{1, {tokens}}, x.partial_squares, x.squares);
  normal_values(space, Draw{1, 2, 3}, 1.0, x.d);
  matrix_product(space, Transpose::no, Transpose::no, 1.0F, x.a, x.square, 0.0F, x.b);
  matrix_product(space, Transpose::no, Transpose::yes, 1.0F, x.a, x.square, 0.0F, x.b);
  matrix_product(space, Transpose::yes, Transpose::no, 1.0F, x.a, x.b, 0.0F, x.square);
  quantize_rows(space, x.halves, x.in_8_bits);
  quantize_rows(space, x.halves, x.powers, x.in_8_bits);
  transpose_codes(space, x.in_8_bits.codes, x.transposed_codes);
  float8_product(space, x.in_8_bits, x.in_8_bits, 1, x.halves, x.halves);
}

template <class Space>
void call_all(const Space& space, const Operands<Space>& x) {
  call_basic_kernels(space, x);
  call_selection_kernels(space, x);
  call_slot_kernels(space, x);
  update_layer(space, x);
  call_sharing_kernels(space, x);
  call_transformer_kernels(space, x);
}

template <class Space>
class Launches : public ::testing::Test {};
TYPED_TEST_SUITE(Launches, TestSpaces);

TYPED_TEST(Launches, CarryOurLabelsOnTheGivenInstanceWithoutAllocationOrFence) {
  const TypeParam instance = other_instance<TypeParam>();
  const Operands<TypeParam> operands;
  // Kokkos makes scratch of its own for the largest teams and reductions that it meets, and keeps it.
  call_all(instance, operands);
  Kokkos::fence("Sward::Test");
  {
    const LaunchRecording recording;
    call_all(instance, operands);
    const std::uint32_t given = Kokkos::Tools::Experimental::device_id(instance);
    EXPECT_GE(recording.launches().size(), 46U);
    for (const Launch& launch : recording.launches()) {
      EXPECT_EQ(launch.label.rfind("Sward::", 0), 0U) << launch.label;
      EXPECT_EQ(launch.device, given) << launch.label;
    }
    for (const std::string& label : recording.allocations()) ADD_FAILURE() << "allocated: " << label;
    for (const Launch& fence : recording.fences()) ADD_FAILURE() << "waited: " << fence.label;
  }
  Kokkos::fence("Sward::Test");
}

template <class Call>
void makes_launches(std::size_t count, const std::string& label, const Call& call) {
  const LaunchRecording recording;
  call();
  EXPECT_EQ(recording.launches().size(), count) << label;
  for (const Launch& launch : recording.launches()) EXPECT_EQ(launch.label, label);
}

/// What a refresh and an update do for every matrix and every layer: a launch costs as much as the work of one.
TYPED_TEST(Launches, AreOneForASelectionAndOneForTheUpdatesOfALayer) {
  const TypeParam space;
  const Operands<TypeParam> x;
  const auto selection = x.memory.selection();
  const auto workspace = x.memory.workspace();
  makes_launches(1, "Sward::select_top_rows", [&] { select_top_rows(space, x.norms, workspace, selection); });
  for (const Selection scheme : {Selection::norm, Selection::uniform, Selection::norm_squared_replacement})
    makes_launches(1, "Sward::sample_rows", [&] {
      sample_rows(space, scheme, x.norms, Draw{1, 2, 3}, workspace, selection);
    });
  makes_launches(1, "Sward::grass_update", [&] { update_layer(space, x); });
  Kokkos::fence("Sward::Test");
}

}  // namespace
}  // namespace Sward::Test
