#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_QuantizeRows.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

/// A matrix and its codes.
struct QuantizedOperands {
  Matrix<BFloat16, Space> input;
  Float8Matrix<Matrix<Float8, Space>, Vector<float, Space>> output;

  QuantizedOperands(std::size_t rows, std::size_t columns)
      : input(random_matrix<BFloat16>(rows, columns, 0)),
        output{Matrix<Float8, Space>("codes", rows, columns), Vector<float, Space>("scale", rows)} {}
};

/// Quantizes several matrices in turn, on GPUs so many that none is still in a cache when its turn comes again. Bytes
/// are those of elements, codes and scales: factors are few.
template <class Factors>
void measure_rows(benchmark::State& state, const Factors& factors) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const double bytes = static_cast<double>(rows) * (3.0 * static_cast<double>(columns) + sizeof(float));
  const std::size_t matrices = runs_on_host<Space> ? 1 : static_cast<std::size_t>(4e8 / bytes) + 2;
  std::vector<QuantizedOperands> all;
  for (std::size_t i = 0; i < matrices; ++i) all.emplace_back(rows, columns);
  measure(state, bytes * static_cast<double>(matrices), 0, [&] {
    for (const auto& x : all) quantize_rows(Space(), x.input, factors, x.output);
  });
  state.counters["matrices"] = static_cast<double>(matrices);
}

void quantize_rows_alone(benchmark::State& state) { measure_rows(state, NoFactors()); }

void quantize_rows_with_factors(benchmark::State& state) {
  const Vector<float, Space> factors("factors", static_cast<std::size_t>(state.range(1)));
  Kokkos::deep_copy(factors, 0.125F);
  measure_rows(state, factors);
}

#define SWARD_PERF_QUANTIZE(name)     \
  BENCHMARK(name)                     \
      ->ArgNames({"rows", "columns"}) \
      ->Args({16384, 2048})           \
      ->Args({16384, 5504})           \
      ->Args({16384, 11008})          \
      ->UseRealTime()                 \
      ->Unit(benchmark::kMillisecond)
SWARD_PERF_QUANTIZE(quantize_rows_alone);
SWARD_PERF_QUANTIZE(quantize_rows_with_factors);

}  // namespace
