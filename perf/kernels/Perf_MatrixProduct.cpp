#include "Sward_Benchmark.hpp"
#include "Sward_MatrixProduct.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

/// C = op(A) op(B) of m x k by k x n; the three forms of a training step by their number.
void matrix_product_of(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const auto n = static_cast<std::size_t>(state.range(1));
  const auto k = static_cast<std::size_t>(state.range(2));
  const Transpose transpose_a = state.range(3) == 2 ? Transpose::yes : Transpose::no;
  const Transpose transpose_b = state.range(3) == 0 ? Transpose::yes : Transpose::no;
  const bool a_is_transposed = transpose_a == Transpose::yes;
  const bool b_is_transposed = transpose_b == Transpose::yes;
  const auto a = random_matrix(a_is_transposed ? k : m, a_is_transposed ? m : k, 0);
  const auto b = random_matrix(b_is_transposed ? n : k, b_is_transposed ? k : n, 1);
  const Matrix<float, Space> c("product", m, n);
  const double operations = 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  measure(state, 0, operations, [&] { matrix_product(Space(), transpose_a, transpose_b, 1.0F, a, b, 0.0F, c); });
}

// form 0: forward, X Wᵀ; 1: input gradient, dY W; 2: weight gradient, dYᵀ X
BENCHMARK(matrix_product_of)
    ->ArgNames({"m", "n", "k", "form"})
    ->Args({1500, 1500, 1500, 1})
    ->Args({2048, 384, 384, 0})
    ->Args({2048, 1024, 384, 0})
    ->Args({2048, 384, 1024, 0})
    ->Args({2048, 384, 1024, 1})
    ->Args({384, 1024, 2048, 2})
    ->Args({96, 384, 2048, 2})
    ->Args({1024, 96, 2048, 2})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
