#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "Sward_Benchmark.hpp"
#include "Sward_Copy.hpp"
#include "Sward_CrossEntropy.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_EmbeddingBackward.hpp"
#include "Sward_Fill.hpp"
#include "Sward_GatherColumns.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_Scale.hpp"
#include "Sward_SquaredNorms.hpp"
#include "Sward_Swiglu.hpp"
#include "Sward_TeamChunks.hpp"

// The element-wise kernels of a training step in BFloat16, against a copy between two blocks of the same memory: the
// operands of successive calls lie in sets that together exceed a GPU's cache.

namespace {

using namespace Sward;
using namespace Sward::Perf;

constexpr bool on_gpu = !runs_on_host<Space>;
using Values = Matrix<BFloat16, Space>;
using Floats = Matrix<float, Space>;
using FloatVector = Vector<float, Space>;
using Indices = Vector<int, Space>;

constexpr std::size_t tokens = on_gpu ? 16384 : 512;
constexpr double cache_bytes = on_gpu ? 400e6 : 1;

Values random_values(std::size_t rows, std::size_t columns) {
  static std::uint32_t number = 100;
  const Values matrix("operand", rows, columns);
  normal_values(Space(), Draw{1, 0, number++}, 1.0, matrix);
  return matrix;
}

/// Tokens as of text: number k of the vocabulary about as often as 1 / k.
Indices text_tokens(std::size_t count, int vocabulary) {
  const Indices list("tokens", count);
  Kokkos::parallel_for(
      "Sward::Perf::text_tokens", Kokkos::RangePolicy<Space>(0, static_cast<int>(count)), KOKKOS_LAMBDA(const int i) {
        const double share = uniform_open(Draw{2, 0, 0}, static_cast<std::uint64_t>(i));
        const int token = static_cast<int>(Kokkos::pow(static_cast<double>(vocabulary), share)) - 1;
        list(i) = token < vocabulary ? token : vocabulary - 1;
      });
  return list;
}

/// Seconds a call, over at least 20 calls; calls take set after set.
template <class Call>
double seconds_of(std::size_t sets, const Call& call) {
  constexpr int repeats = on_gpu ? 40 : 3;
  for (std::size_t set = 0; set < std::max<std::size_t>(sets, 3); ++set) call(set % sets);
  Kokkos::fence("Sward::Perf::seconds_of");
  const Kokkos::Timer timer;
  for (std::size_t i = 0; i < repeats; ++i) call(i % sets);
  Kokkos::fence("Sward::Perf::seconds_of");
  return timer.seconds() / repeats;
}

/// Bytes a second, read and written, of a copy from one block of memory to another.
double copy_rate() {
  static const double rate = [] {
    constexpr std::size_t bytes = on_gpu ? std::size_t(1) << 30 : std::size_t(1) << 24;
    const Vector<char, Space> from("from", bytes), to("to", bytes);
    return 2.0 * static_cast<double>(bytes) / seconds_of(1, [&](std::size_t) { Kokkos::deep_copy(Space(), to, from); });
  }();
  return rate;
}

/// Times call(set) on operands that make(set) makes, as many sets as fill a cache.
template <class Make, class Call>
void measure_bandwidth(benchmark::State& state, double bytes, const Make& make, const Call& call) {
  const double rate = copy_rate();
  const auto count = static_cast<std::size_t>(std::clamp(std::ceil(cache_bytes / bytes), 1.0, 8.0));
  std::vector<std::decay_t<decltype(make())>> sets;
  for (std::size_t i = 0; i < count; ++i) sets.push_back(make());
  double seconds = 0;
  int rounds = 0;
  for (auto _ : state) {
    const double one = seconds_of(count, [&](std::size_t set) { call(sets[set]); });
    state.SetIterationTime(one);
    seconds += one;
    ++rounds;
  }
  state.counters["MB"] = bytes * 1e-6;
  state.counters["GB/s"] = bytes * rounds / seconds * 1e-9;
  state.counters["of_copy"] = bytes * rounds / seconds / rate;
}

double area(std::size_t rows, std::size_t columns) { return static_cast<double>(rows) * static_cast<double>(columns); }

struct Pair {
  Values a, b;
};

void bf16_copy(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 4 * area(tokens, n),
      [&] {
        return Pair{random_values(tokens, n), Values("target", tokens, n)};
      },
      [](const Pair& x) { copy(Space(), x.a, x.b); });
}

void bf16_scale(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 4 * area(tokens, n), [&] { return random_values(tokens, n); },
      [](const Values& x) { scale(Space(), x, 1.0F); });
}

void bf16_fill(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 2 * area(tokens, n), [&] { return Values("x", tokens, n); },
      [](const Values& x) { fill(Space(), x, 1.0F); });
}

struct NormOperands {
  Values input, output, output_gradient, weight;
  FloatVector inverse_rms, weight_gradient;
  Floats partials;

  explicit NormOperands(std::size_t n)
      : input(random_values(tokens, n)),
        output(random_values(tokens, n)),
        output_gradient(random_values(tokens, n)),
        weight(random_values(1, n)),
        inverse_rms("inverse rms", tokens),
        weight_gradient("weight gradient", n),
        partials("partials", rms_norm_partial_rows<Space>, n) {}
  auto weights() const { return Kokkos::subview(weight, 0, Kokkos::ALL); }
  void forward() const { rms_norm(Space(), input, weights(), 1e-6, inverse_rms, output); }
  void backward() const {
    rms_norm_backward(Space(), output_gradient, input, weights(), inverse_rms, output, partials, weight_gradient);
  }
};

void bf16_rms_norm(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 4 * area(tokens, n), [&] { return NormOperands(n); }, [](const NormOperands& x) { x.forward(); });
}

void bf16_rms_norm_backward(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 8 * area(tokens, n), [&] { return NormOperands(n); }, [](const NormOperands& x) { x.backward(); });
}

struct GatedOperands {
  Values gate_up, product;
  explicit GatedOperands(std::size_t f) : gate_up(random_values(tokens, 2 * f)), product(random_values(tokens, f)) {}
  auto columns(std::size_t first) const {
    return Kokkos::subview(gate_up, Kokkos::ALL, std::pair(first, first + product.extent(1)));
  }
  auto gate() const { return columns(0); }
  auto up() const { return columns(product.extent(1)); }
};

void bf16_swiglu(benchmark::State& state) {
  const auto f = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 6 * area(tokens, f), [&] { return GatedOperands(f); },
      [](const GatedOperands& x) { swiglu(Space(), x.gate(), x.up(), x.product); });
}

void bf16_swiglu_backward(benchmark::State& state) {
  const auto f = static_cast<std::size_t>(state.range(0));
  measure_bandwidth(
      state, 10 * area(tokens, f), [&] { return GatedOperands(f); },
      [](const GatedOperands& x) { swiglu_backward(Space(), x.gate(), x.up(), x.product, x.gate(), x.up()); });
}

/// Queries and keys in place, beside values that stay.
void bf16_rotary(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const auto head = static_cast<std::size_t>(state.range(1));
  const Floats cosine("cosine", 256, head / 2), sine("sine", 256, head / 2);
  rotary_table(Space(), 10000, RotaryScaling{}, cosine, sine);
  const int heads = static_cast<int>(2 * n / head);
  measure_bandwidth(
      state, 4 * area(tokens, 2 * n), [&] { return random_values(tokens, 3 * n); },
      [&](const Values& x) {
        rotary_embedding(Space(), cosine, sine, heads,
                         Kokkos::subview(x, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, 2 * n)));
      });
}

void cross_entropy_of(benchmark::State& state, bool backward) {
  const auto vocabulary = static_cast<std::size_t>(state.range(0));
  const std::size_t rows = on_gpu ? tokens / 2 : 32;
  const Indices targets = text_tokens(rows, static_cast<int>(vocabulary));
  const FloatVector losses("losses", rows);
  measure_bandwidth(
      state, (backward ? 4 : 2) * area(rows, vocabulary), [&] { return random_values(rows, vocabulary); },
      [&](const Values& x) {
        backward ? cross_entropy_backward(Space(), targets, 1.0, x, losses)
                 : cross_entropy(Space(), x, targets, losses);
      });
}
void bf16_cross_entropy(benchmark::State& state) { cross_entropy_of(state, false); }
void bf16_cross_entropy_backward(benchmark::State& state) { cross_entropy_of(state, true); }

void bf16_embedding(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const auto vocabulary = static_cast<std::size_t>(state.range(1));
  const Indices list = text_tokens(tokens, static_cast<int>(vocabulary));
  measure_bandwidth(
      state, 4 * area(tokens, n),
      [&] {
        return Pair{random_values(vocabulary, n), Values("output", tokens, n)};
      },
      [&](const Pair& x) { embedding(Space(), x.a, list, x.b); });
}

/// Bytes of the output's gradient alone: how many rows of the table are touched depends on the text.
void bf16_embedding_backward(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const auto vocabulary = static_cast<std::size_t>(state.range(1));
  const std::size_t count = on_gpu ? static_cast<std::size_t>(state.range(2)) : tokens;
  const Indices list = text_tokens(count, static_cast<int>(vocabulary));
  const Indices places("places", embedding_workspace_size(count, vocabulary));
  const Floats table_gradient("table gradient", vocabulary, n);
  measure_bandwidth(
      state, 2 * area(count, n), [&] { return random_values(count, n); },
      [&](const Values& x) { embedding_backward(Space(), list, x, places, table_gradient); });
}

/// Columns in order at random distances. Bytes: all of the source, since every sector of it holds one, and the target.
void bf16_gather_columns(benchmark::State& state) {
  const auto n = static_cast<std::size_t>(state.range(0));
  const auto rank = static_cast<std::size_t>(state.range(1));
  const Indices columns("columns", rank);
  const int step = static_cast<int>(n / rank);
  Kokkos::parallel_for(
      "Sward::Perf::columns", Kokkos::RangePolicy<Space>(0, static_cast<int>(rank)), KOKKOS_LAMBDA(const int s) {
        columns(s) = s * step + static_cast<int>(step * uniform_open(Draw{3, 0, 0}, static_cast<std::uint64_t>(s)));
      });
  measure_bandwidth(
      state, 2 * area(tokens, n) + 2 * area(tokens, rank),
      [&] {
        return Pair{random_values(tokens, n), Values("target", tokens, rank)};
      },
      [&](const Pair& x) { gather_columns("Sward::gather_columns", Space(), columns, x.a, x.b); });
}

Floats random_floats(std::size_t rows, std::size_t columns) { return random_matrix(rows, columns, 7); }

void float_squared_norms(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const Vector<double, Space> result("result", 1);
  const Vector<double, Space> partials("partials", part_sums_workspace<Space>);
  measure_bandwidth(
      state, 4 * area(rows, columns), [&] { return random_floats(rows, columns); },
      [&](const Floats& x) {
        const Kokkos::View<const float*, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> values(x.data(), x.size());
        squared_norms(Space(), values, VectorParts{1, {x.size()}}, partials, result);
      });
}

void float_row_norms(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const Side side = state.range(2) == 0 ? Side::rows : Side::columns;
  const Vector<double, Space> norms("norms", side == Side::rows ? rows : columns);
  measure_bandwidth(
      state, 4 * area(rows, columns), [&] { return random_floats(rows, columns); },
      [&](const Floats& x) { row_norms(Space(), x, side, norms); });
}

#define SWARD_PERF_BANDWIDTH(name) BENCHMARK(name)->UseManualTime()->Iterations(5)->Unit(benchmark::kMicrosecond)
SWARD_PERF_BANDWIDTH(bf16_copy)->Arg(2048);
SWARD_PERF_BANDWIDTH(bf16_scale)->Arg(2048);
SWARD_PERF_BANDWIDTH(bf16_fill)->Arg(2048);
SWARD_PERF_BANDWIDTH(bf16_rms_norm)->Arg(512)->Arg(1024)->Arg(2048)->Arg(4096)->Arg(8192);
SWARD_PERF_BANDWIDTH(bf16_rms_norm_backward)->Arg(512)->Arg(1024)->Arg(2048)->Arg(4096)->Arg(8192);
SWARD_PERF_BANDWIDTH(bf16_swiglu)->Arg(5504);
SWARD_PERF_BANDWIDTH(bf16_swiglu_backward)->Arg(5504);
SWARD_PERF_BANDWIDTH(bf16_rotary)->Args({2048, 64})->Args({4096, 128});
SWARD_PERF_BANDWIDTH(bf16_cross_entropy)->Arg(32000);
SWARD_PERF_BANDWIDTH(bf16_cross_entropy_backward)->Arg(32000)->Arg(50304)->Arg(128256);
SWARD_PERF_BANDWIDTH(bf16_embedding)->Args({2048, 32000});
SWARD_PERF_BANDWIDTH(bf16_embedding_backward)->Args({2048, 32000, 16384})->Args({2048, 32000, 65536});
SWARD_PERF_BANDWIDTH(bf16_gather_columns)->Args({2048, 512})->Args({5504, 512});
SWARD_PERF_BANDWIDTH(float_squared_norms)->Args({512, 5504})->Args({5504, 512})->Args({32000, 2048});
SWARD_PERF_BANDWIDTH(float_row_norms)->Args({2048, 5504, 0})->Args({5504, 2048, 1});

}  // namespace
