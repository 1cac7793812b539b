#pragma once

#include <Kokkos_Core.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_DeviceMatrixProduct.hpp"
#include "Sward_NormalValues.hpp"

namespace Sward::Perf {

/// Every kind of product that cuBLASLt has computed so far, timed by itself on random numbers: a table on standard
/// output. Nothing on hosts.
inline void print_product_times() {
#ifdef KOKKOS_ENABLE_CUDA
  using Clock = std::chrono::steady_clock;
  using Operand = Kokkos::View<BFloat16**, Kokkos::LayoutRight, Kokkos::Cuda>;
  const Kokkos::Cuda space;
  for (const CublasLtChoice& choice : cublaslt_choices()) {
    const CublasLtProduct& p = choice.product;
    const auto rows = [](bool transposed, std::int64_t outer, std::int64_t inner) {
      return static_cast<std::size_t>(transposed ? inner : outer);
    };
    const Operand a("a", rows(p.a_is_transposed, p.m, p.k), static_cast<std::size_t>(p.a_stride));
    const Operand b("b", rows(!p.b_is_transposed, p.n, p.k), static_cast<std::size_t>(p.b_stride));
    const Kokkos::View<char*, Kokkos::Cuda> c(
        "c", static_cast<std::size_t>(p.m * std::max(p.result_stride, p.source_stride)) * sizeof(float));
    // For products in 8 bits, which take the halves of these numbers for theirs.
    const Kokkos::View<float*, Kokkos::Cuda> scales("scales", static_cast<std::size_t>(std::max(p.m, p.n)));
    normal_values(space, Draw{1, 0, 0}, 1.0, a);
    normal_values(space, Draw{2, 0, 0}, 1.0, b);
    const auto run = [&] {
      cublaslt_product(space.cuda_stream(), p, 1, p.is_added_to ? 1 : 0,
                       {a.data(), b.data(), c.data(), c.data(), scales.data(), scales.data()});
    };
    run();
    space.fence("Sward::Perf::print_product_times");
    constexpr int count = 20;
    const auto begin = Clock::now();
    for (int i = 0; i < count; ++i) run();
    space.fence("Sward::Perf::print_product_times");
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count() / count;
    const double operations = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
    std::printf("%s %c%c %6lld x %6lld, sums of %6lld, to %s%s, alignment %3u: %8.3f ms %6.0f TFLOP/s\n",
                p.is_float8 ? "e4m3" : "bf16", p.a_is_transposed ? 'T' : 'N', p.b_is_transposed ? 'T' : 'N',
                static_cast<long long>(p.m), static_cast<long long>(p.n), static_cast<long long>(p.k),
                p.float_result ? "float" : "bf16", p.is_added_to ? ", added" : "", p.alignment, seconds * 1e3,
                operations / seconds * 1e-12);
  }
#endif
}

}  // namespace Sward::Perf
