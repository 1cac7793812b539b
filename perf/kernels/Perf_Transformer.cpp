#include "Sward_Attention.hpp"
#include "Sward_AttentionBackward.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_CrossEntropy.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_Swiglu.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

constexpr double word = sizeof(float);

/// Causal attention; operations count the half of the scores that is needed.
struct AttentionOperands {
  AttentionShape shape;
  Matrix<float, Space> query, key, value, output, logsumexp, delta;

  explicit AttentionOperands(const benchmark::State& state)
      : shape{static_cast<int>(state.range(0)), static_cast<int>(state.range(1)), static_cast<int>(state.range(2)),
              static_cast<int>(state.range(2)), static_cast<int>(state.range(3))} {
    const auto tokens = static_cast<std::size_t>(shape.tokens());
    const auto width = static_cast<std::size_t>(shape.query_columns());
    query = random_matrix(tokens, width, 0);
    key = random_matrix(tokens, width, 1);
    value = random_matrix(tokens, width, 2);
    output = random_matrix(tokens, width, 3);
    logsumexp = random_matrix(tokens, static_cast<std::size_t>(shape.heads), 4);
    delta = random_matrix(tokens, static_cast<std::size_t>(shape.heads), 5);
  }
  double values() const { return static_cast<double>(query.size()); }
  /// Multiply-adds of one product of scores with one operand, twice.
  double product_operations() const { return values() * shape.length; }
};

void attention_forward(benchmark::State& state) {
  const AttentionOperands x(state);
  measure(state, 4 * word * x.values(), 2 * x.product_operations(),
          [&] { attention(Space(), x.shape, x.query, x.key, x.value, x.output, x.logsumexp); });
}

void attention_backward_of(benchmark::State& state) {
  const AttentionOperands x(state);
  const auto tokens = static_cast<std::size_t>(x.shape.tokens());
  const auto width = static_cast<std::size_t>(x.shape.query_columns());
  const auto output_gradient = random_matrix(tokens, width, 6);
  const Matrix<float, Space> query_gradient("query gradient", tokens, width);
  const Matrix<float, Space> key_gradient("key gradient", tokens, width);
  const Matrix<float, Space> value_gradient("value gradient", tokens, width);
  attention(Space(), x.shape, x.query, x.key, x.value, x.output, x.logsumexp);
  measure(state, 8 * word * x.values(), 5 * x.product_operations(), [&] {
    attention_backward(Space(), x.shape, x.query, x.key, x.value, x.output, x.logsumexp, output_gradient, x.delta,
                       query_gradient, key_gradient, value_gradient);
  });
}

BENCHMARK(attention_forward)
    ->ArgNames({"sequences", "length", "heads", "head"})
    ->Args({8, 256, 6, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(attention_backward_of)
    ->ArgNames({"sequences", "length", "heads", "head"})
    ->Args({8, 256, 6, 64})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

struct Rows {
  std::size_t tokens;
  std::size_t width;
  explicit Rows(const benchmark::State& state)
      : tokens(static_cast<std::size_t>(state.range(0))), width(static_cast<std::size_t>(state.range(1))) {}
  double bytes(int operands, std::size_t element = sizeof(float)) const {
    return operands * static_cast<double>(tokens * width * element);
  }
};

template <class Scalar>
void rms_norm_forward(benchmark::State& state) {
  const Rows rows(state);
  const auto input = random_matrix<Scalar>(rows.tokens, rows.width, 0);
  const Vector<Scalar, Space> weight("weight", rows.width);
  const Vector<float, Space> inverse_rms("inverse rms", rows.tokens);
  const Matrix<Scalar, Space> output("output", rows.tokens, rows.width);
  measure(state, rows.bytes(2, sizeof(Scalar)), 0,
          [&] { rms_norm(Space(), input, weight, 1e-6, inverse_rms, output); });
}

/// Every fourth column of a matrix, written next to each other.
template <class Scalar>
struct OwnedSlice {
  Vector<int, Space> columns;
  Matrix<Scalar, Space> values;

  explicit OwnedSlice(const Rows& rows)
      : columns("columns", rows.width / 4), values("values", rows.tokens, rows.width / 4) {
    const auto numbers = Kokkos::create_mirror_view(columns);
    for (std::size_t s = 0; s < rows.width / 4; ++s) numbers(s) = static_cast<int>(4 * s);
    Kokkos::deep_copy(columns, numbers);
  }
  ColumnSlice<Space, Scalar> slice() const { return {columns, values}; }
};

/// With as many slices as in a step: none, of the gradient, or of the gradient and twice of the norm's output.
template <class Scalar, int slices>
void rms_norm_backward_of(benchmark::State& state) {
  const Rows rows(state);
  const auto input = random_matrix<Scalar>(rows.tokens, rows.width, 0);
  const auto output_gradient = random_matrix<Scalar>(rows.tokens, rows.width, 1);
  const Vector<Scalar, Space> weight("weight", rows.width);
  const Vector<float, Space> inverse_rms("inverse rms", rows.tokens);
  const Matrix<Scalar, Space> input_gradient("input gradient", rows.tokens, rows.width);
  const Vector<float, Space> weight_gradient("weight gradient", rows.width);
  const Matrix<float, Space> partials("partials", rms_norm_partial_rows<Space>, rows.width);
  const OwnedSlice<Scalar> gradient(rows), first(rows), second(rows);
  RmsNormColumns<Space, Scalar> wanted;
  if (slices > 0) wanted.input_gradient = gradient.slice();
  if (slices > 1) wanted.normed[0] = first.slice();
  if (slices > 2) wanted.normed[1] = second.slice();
  measure(state, rows.bytes(4, sizeof(Scalar)) + rows.bytes(1, sizeof(Scalar)) / 4 * slices, 0, [&] {
    rms_norm_backward(Space(), output_gradient, input, weight, inverse_rms, input_gradient, partials, weight_gradient,
                      wanted);
  });
}
void rms_norm_backward_alone(benchmark::State& state) { rms_norm_backward_of<float, 0>(state); }
void rms_norm_backward_of_bfloat16(benchmark::State& state) { rms_norm_backward_of<BFloat16, 0>(state); }
void rms_norm_backward_with_a_slice(benchmark::State& state) { rms_norm_backward_of<BFloat16, 1>(state); }
void rms_norm_backward_with_slices(benchmark::State& state) { rms_norm_backward_of<BFloat16, 3>(state); }

void gather_of_columns(benchmark::State& state) {
  const Rows rows(state);
  const auto source = random_matrix<BFloat16>(rows.tokens, rows.width, 0);
  const OwnedSlice<BFloat16> owned(rows);
  measure(state, rows.bytes(1, sizeof(BFloat16)) * 1.25, 0,
          [&] { gather_columns("Sward::gather_columns", Space(), owned.columns, source, owned.values); });
}

void swiglu_forward(benchmark::State& state) {
  const Rows rows(state);
  const auto gate = random_matrix(rows.tokens, rows.width, 0);
  const auto up = random_matrix(rows.tokens, rows.width, 1);
  const Matrix<float, Space> output("output", rows.tokens, rows.width);
  measure(state, rows.bytes(3), 0, [&] { swiglu(Space(), gate, up, output); });
}

void swiglu_backward_of(benchmark::State& state) {
  const Rows rows(state);
  const auto gate = random_matrix(rows.tokens, rows.width, 0);
  const auto up = random_matrix(rows.tokens, rows.width, 1);
  const auto output_gradient = random_matrix(rows.tokens, rows.width, 2);
  const Matrix<float, Space> gate_gradient("gate gradient", rows.tokens, rows.width);
  const Matrix<float, Space> up_gradient("up gradient", rows.tokens, rows.width);
  measure(state, rows.bytes(5), 0,
          [&] { swiglu_backward(Space(), gate, up, output_gradient, gate_gradient, up_gradient); });
}

void rotary(benchmark::State& state) {
  const Rows rows(state);
  constexpr int heads = 6;
  const Matrix<float, Space> cosine("cosine", 256, rows.width / heads / 2);
  const Matrix<float, Space> sine("sine", 256, rows.width / heads / 2);
  rotary_table(Space(), 10000, RotaryScaling{}, cosine, sine);
  const auto values = random_matrix(rows.tokens, rows.width, 0);
  measure(state, rows.bytes(2), 0, [&] { rotary_embedding(Space(), cosine, sine, heads, values); });
}

void cross_entropy_backward_of(benchmark::State& state) {
  const Rows rows(state);
  const auto logits = random_matrix(rows.tokens, rows.width, 0);
  const Vector<int, Space> targets("targets", rows.tokens);
  const Vector<float, Space> losses("losses", rows.tokens);
  measure(state, rows.bytes(2), 0, [&] { cross_entropy_backward(Space(), targets, 1.0F, logits, losses); });
}

#define SWARD_PERF_SIZE(name, tokens, width) \
  BENCHMARK(name)->ArgNames({"tokens", "width"})->Args({tokens, width})->UseRealTime()->Unit(benchmark::kMillisecond)
#define SWARD_PERF_ROWS(name, width) SWARD_PERF_SIZE(name, 2048, width)
SWARD_PERF_ROWS(rms_norm_forward<float>, 384);
SWARD_PERF_ROWS(rms_norm_backward_alone, 384);
SWARD_PERF_ROWS(rotary, 384);
SWARD_PERF_ROWS(swiglu_forward, 1024);
SWARD_PERF_ROWS(swiglu_backward_of, 1024);
SWARD_PERF_ROWS(cross_entropy_backward_of, 14000);

// In the size of a step: of llama-1b on a GPU.
constexpr int step_tokens = runs_on_host<Space> ? 2048 : 16384;
constexpr int step_width = runs_on_host<Space> ? 384 : 2048;
SWARD_PERF_SIZE(rms_norm_forward<BFloat16>, step_tokens, step_width);
SWARD_PERF_SIZE(rms_norm_backward_of_bfloat16, step_tokens, step_width);
SWARD_PERF_SIZE(rms_norm_backward_with_a_slice, step_tokens, step_width);
SWARD_PERF_SIZE(rms_norm_backward_with_slices, step_tokens, step_width);
SWARD_PERF_SIZE(gather_of_columns, step_tokens, step_width);

}  // namespace
