#pragma once

#include <benchmark/benchmark.h>

#include <Kokkos_Core.hpp>
#include <cstddef>
#include <cstdint>

#include "Sward_NormalValues.hpp"
#include "Sward_Views.hpp"

namespace Sward::Perf {

using Space = Kokkos::DefaultExecutionSpace;

/// A matrix of draws from N(0, 1).
template <class Scalar = float>
Matrix<Scalar, Space> random_matrix(std::size_t rows, std::size_t columns, std::uint32_t number) {
  const Matrix<Scalar, Space> matrix("operand", rows, columns);
  normal_values(Space(), Draw{1, 0, number}, 1.0, matrix);
  Kokkos::fence("Sward::Perf::random_matrix");
  return matrix;
}

/// Times `call()` with the work that it starts, and reports what it moves and computes: rates a second beside the time.
template <class Call>
void measure(benchmark::State& state, double bytes, double operations, const Call& call) {
  call();
  Kokkos::fence("Sward::Perf::measure");
  for (auto _ : state) {
    call();
    Kokkos::fence("Sward::Perf::measure");
  }
  using Counter = benchmark::Counter;
  constexpr auto rate = Counter::kIsIterationInvariantRate;
  if (bytes > 0) state.counters["bytes/s"] = Counter(bytes, rate);
  if (operations > 0) state.counters["operations/s"] = Counter(operations, rate);
}

}  // namespace Sward::Perf
