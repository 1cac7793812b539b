#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_QuantizeTransposed.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

/// A matrix and its codes, which may be those of its transpose.
struct QuantizedOperands {
  Matrix<BFloat16, Space> input;
  Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>> output;

  QuantizedOperands(std::size_t rows, std::size_t columns, bool is_transposed)
      : input(random_matrix<BFloat16>(rows, columns, 0)),
        output{Matrix<Float8, Space>("codes", is_transposed ? columns : rows, is_transposed ? rows : columns),
               Vector<float, Space>("scale", rows)} {
    Kokkos::deep_copy(output.scale, 0.125F);
  }
};

/// Quantizes several matrices in turn, on GPUs so many that none is still in a cache when its turn comes again. Bytes
/// are those of elements, codes and scales: factors are few.
template <class Quantize>
void measure_matrices(benchmark::State& state, bool is_transposed, const Quantize& quantize) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const double bytes = static_cast<double>(rows) * (3.0 * static_cast<double>(columns) + sizeof(float));
  const std::size_t matrices = runs_on_host<Space> ? 1 : static_cast<std::size_t>(4e8 / bytes) + 2;
  std::vector<QuantizedOperands> all;
  for (std::size_t i = 0; i < matrices; ++i) all.emplace_back(rows, columns, is_transposed);
  measure(state, bytes * static_cast<double>(matrices), 0, [&] {
    for (const auto& x : all) quantize(x.input, x.output);
  });
  state.counters["matrices"] = static_cast<double>(matrices);
}

template <class Factors>
void measure_rows(benchmark::State& state, const Factors& factors) {
  measure_matrices(state, false,
                   [&](const auto& input, const auto& output) { quantize_rows(Space(), input, factors, output); });
}

void quantize_rows_alone(benchmark::State& state) { measure_rows(state, NoFactors()); }

void quantize_rows_with_factors(benchmark::State& state) {
  const Vector<float, Space> factors("factors", static_cast<std::size_t>(state.range(1)));
  Kokkos::deep_copy(factors, 0.125F);
  measure_rows(state, factors);
}

void quantize_transpose(benchmark::State& state) {
  measure_matrices(state, true, [](const auto& input, const auto& output) {
    quantize_transposed(Space(), input, output.scale, output.codes);
  });
}

#define SWARD_PERF_QUANTIZE(name, ...) \
  BENCHMARK(name)->ArgNames({"rows", "columns"})->ArgsProduct(__VA_ARGS__)->UseRealTime()->Unit(benchmark::kMillisecond)
SWARD_PERF_QUANTIZE(quantize_rows_alone, {{16384}, {2048, 5504, 11008}});
SWARD_PERF_QUANTIZE(quantize_rows_with_factors, {{16384}, {2048, 5504, 11008}});
// The weights of LLaMA 1B.
SWARD_PERF_QUANTIZE(quantize_rows_alone, {{2048, 6144, 11008}, {2048}});
SWARD_PERF_QUANTIZE(quantize_transpose, {{2048, 6144, 11008}, {2048}});
SWARD_PERF_QUANTIZE(quantize_transpose, {{2048}, {5504}});

}  // namespace
