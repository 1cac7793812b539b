#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_TransposeCodes.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

/// A matrix and its codes.
struct QuantizedOperands {
  QuantizedOperands(std::size_t rows, std::size_t columns)
      : input(random_matrix<BFloat16>(rows, columns, 0)),
        output{Matrix<Float8, Space>("codes", rows, columns), Vector<float, Space>("scale", rows)} {}

  Matrix<BFloat16, Space> input;
  Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>> output;
};

/// Codes and room for their transpose.
struct TransposedOperands {
  TransposedOperands(std::size_t rows, std::size_t columns)
      : input("codes", rows, columns), output("transpose", columns, rows) {
    const Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>> codes{input, Vector<float, Space>("scale", rows)};
    quantize_rows(Space(), random_matrix<BFloat16>(rows, columns, 0), codes);
  }

  Matrix<Float8, Space> input;
  Matrix<Float8, Space> output;
};

/// Works on several matrices in turn, on GPUs so many that none is still in a cache when its turn comes again. Bytes
/// are those of elements and codes: scales and factors are few.
template <class Operands, class Function>
void measure_matrices(benchmark::State& state, double bytes_of_an_element, const Function& function) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const double bytes = bytes_of_an_element * static_cast<double>(rows) * static_cast<double>(columns);
  const std::size_t matrices = runs_on_host<Space> ? 1 : static_cast<std::size_t>(4e8 / bytes) + 2;
  std::vector<Operands> all;
  for (std::size_t i = 0; i < matrices; ++i) all.emplace_back(rows, columns);
  measure(state, bytes * static_cast<double>(matrices), 0, [&] {
    for (const auto& x : all) function(x.input, x.output);
  });
  state.counters["matrices"] = static_cast<double>(matrices);
}

template <class Factors>
void measure_rows(benchmark::State& state, const Factors& factors) {
  measure_matrices<QuantizedOperands>(
      state, 3, [&](const auto& input, const auto& output) { quantize_rows(Space(), input, factors, output); });
}

void quantize_rows_alone(benchmark::State& state) { measure_rows(state, NoFactors()); }

void quantize_rows_with_factors(benchmark::State& state) {
  const Vector<float, Space> factors("factors", static_cast<std::size_t>(state.range(1)));
  Kokkos::deep_copy(factors, 0.125F);
  measure_rows(state, factors);
}

void transpose_codes_alone(benchmark::State& state) {
  measure_matrices<TransposedOperands>(
      state, 2, [](const auto& input, const auto& output) { transpose_codes(Space(), input, output); });
}

#define SWARD_PERF_QUANTIZE(name, ...) \
  BENCHMARK(name)->ArgNames({"rows", "columns"})->ArgsProduct(__VA_ARGS__)->UseRealTime()->Unit(benchmark::kMillisecond)
SWARD_PERF_QUANTIZE(quantize_rows_alone, {{16384}, {2048, 5504, 11008}});
SWARD_PERF_QUANTIZE(quantize_rows_with_factors, {{16384}, {2048, 5504, 11008}});
// The weights of LLaMA 1B.
SWARD_PERF_QUANTIZE(quantize_rows_alone, {{2048, 6144, 11008}, {2048}});
SWARD_PERF_QUANTIZE(transpose_codes_alone, {{2048, 6144, 11008}, {2048}});
SWARD_PERF_QUANTIZE(transpose_codes_alone, {{2048}, {5504}});
// Gate and up of LLaMA 7B.
SWARD_PERF_QUANTIZE(quantize_rows_alone, {{22016}, {4096}});
SWARD_PERF_QUANTIZE(transpose_codes_alone, {{22016}, {4096}});

}  // namespace
