#include "Sward_Attention.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_CrossEntropy.hpp"
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
  double bytes(int operands) const { return word * operands * static_cast<double>(tokens * width); }
};

void rms_norm_forward(benchmark::State& state) {
  const Rows rows(state);
  const auto input = random_matrix(rows.tokens, rows.width, 0);
  const Vector<float, Space> weight("weight", rows.width);
  const Vector<float, Space> inverse_rms("inverse rms", rows.tokens);
  const Matrix<float, Space> output("output", rows.tokens, rows.width);
  measure(state, rows.bytes(2), 0, [&] { rms_norm(Space(), input, weight, 1e-6, inverse_rms, output); });
}

void rms_norm_backward_of(benchmark::State& state) {
  const Rows rows(state);
  const auto input = random_matrix(rows.tokens, rows.width, 0);
  const auto output_gradient = random_matrix(rows.tokens, rows.width, 1);
  const Vector<float, Space> weight("weight", rows.width);
  const Vector<float, Space> inverse_rms("inverse rms", rows.tokens);
  const Matrix<float, Space> input_gradient("input gradient", rows.tokens, rows.width);
  const Vector<float, Space> weight_gradient("weight gradient", rows.width);
  const Matrix<float, Space> partials("partials", rms_norm_partial_rows<Space>, rows.width);
  measure(state, rows.bytes(4), 0, [&] {
    rms_norm_backward(Space(), output_gradient, input, weight, inverse_rms, input_gradient, partials, weight_gradient);
  });
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

#define SWARD_PERF_ROWS(name, width) \
  BENCHMARK(name)->ArgNames({"tokens", "width"})->Args({2048, width})->UseRealTime()->Unit(benchmark::kMillisecond)
SWARD_PERF_ROWS(rms_norm_forward, 384);
SWARD_PERF_ROWS(rms_norm_backward_of, 384);
SWARD_PERF_ROWS(rotary, 384);
SWARD_PERF_ROWS(swiglu_forward, 1024);
SWARD_PERF_ROWS(swiglu_backward_of, 1024);
SWARD_PERF_ROWS(cross_entropy_backward_of, 14000);

}  // namespace
