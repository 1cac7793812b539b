#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "Sward_Benchmark.hpp"
#include "Sward_GrassOptimizer.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_RowNorms.hpp"
#include "sward.h"

// What the C interface and GrassOptimizer cost beside direct calls of the kernels, on matrices so small that a launch
// by Kokkos is most of the time: microseconds a call, best on one thread.

namespace Sward::Perf {
namespace {

constexpr int m = 8, n = 8, r = 2, tokens = 4;
constexpr AdamStep step{0.9, 0.999, 1e-8, 1, 1.0};
constexpr sward_adam_step c_step{0.9, 0.999, 1e-8, 1, 1.0};

void require_success(sward_status status) {
  if (status == SWARD_SUCCESS) return;
  std::fprintf(stderr, "%s: %s\n", sward_status_name(status), sward_last_error());
  std::exit(1);
}

sward_matrix c_matrix(const Matrix<float, Space>& matrix) {
  return {matrix.data(), static_cast<std::int64_t>(matrix.extent(0)), static_cast<std::int64_t>(matrix.extent(1)),
          static_cast<std::int64_t>(matrix.stride(0)), SWARD_FLOAT32};
}

struct Operands {
  Matrix<float, Space> output_gradient = random_matrix(tokens, m, 0), input = random_matrix(tokens, n, 1);
  Matrix<float, Space> weight = random_matrix(m, n, 2);
  Matrix<float, Space> gathered{"gathered", tokens, r}, gradient{"gradient", r, n};
  Matrix<float, Space> first{"first", r, n}, second{"second", r, n};
  Vector<double, Space> norms{"norms", m};
  Vector<int, Space> rows{"rows", r};
  Vector<float, Space> scale{"scale", r};
  RowSelection<Space> selection{rows, scale, m, Side::rows};
  sward_selection c_selection{rows.data(), scale.data(), r, m, SWARD_ROWS};
  sward_matrix dy = c_matrix(output_gradient), x = c_matrix(input), w = c_matrix(weight), g = c_matrix(gradient);
  sward_matrix v1 = c_matrix(first), v2 = c_matrix(second);
  sward_instance* instance = nullptr;
  Space space;

  Operands() { require_success(sward_instance_create(nullptr, &instance)); }
  ~Operands() { require_success(sward_instance_destroy(instance)); }
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;

  void project() const { project_product(space, selection, output_gradient, input, gathered, 0.0F, gradient); }
  void update() const { grass_update(space, selection, step, 1e-3, 0.0, Rounding{}, gradient, first, second, weight); }
  void c_project() const {
    require_success(
        sward_project_product(instance, &c_selection, &dy, &x, gathered.data(), sizeof(float) * tokens * r, 0.0, &g));
  }
  void c_update() const {
    require_success(sward_grass_update(instance, &c_selection, &c_step, 1e-3, 0.0, nullptr, &g, &v1, &v2, &w));
  }
};

template <class Call>
void repeat(benchmark::State& state, const Call& call) {
  for (int warm = 0; warm < 100; ++warm) call();
  for (auto _ : state) call();
  Kokkos::fence("Sward::Perf::repeat");
}

void row_norms_directly(benchmark::State& state) {
  const Operands o;
  repeat(state, [&] { row_norms(o.space, o.weight, Side::rows, o.norms); });
}
void row_norms_by_c(benchmark::State& state) {
  const Operands o;
  repeat(state, [&] { require_success(sward_row_norms(o.instance, &o.w, SWARD_ROWS, o.norms.data(), m)); });
}
void project_product_directly(benchmark::State& state) {
  const Operands o;
  repeat(state, [&] { o.project(); });
}
void project_product_by_c(benchmark::State& state) {
  const Operands o;
  repeat(state, [&] { o.c_project(); });
}
void grass_update_directly(benchmark::State& state) {
  const Operands o;
  repeat(state, [&] { o.update(); });
}
void grass_update_by_c(benchmark::State& state) {
  const Operands o;
  repeat(state, [&] { o.c_update(); });
}
/// What there is to the interface alone.
void call_of_c(benchmark::State& state) {
  const Operands o;
  const sward_matrix none{nullptr, 0, 0, 0, SWARD_FLOAT32};
  repeat(state, [&] {
    require_success(
        sward_matrix_product(o.instance, SWARD_NO_TRANSPOSE, SWARD_NO_TRANSPOSE, 1.0, &none, &none, 0.0, &none));
  });
}

/// A whole update of a few matrices, as an optimizer makes it.
void update_directly(benchmark::State& state) {
  const auto matrices = state.range(0);
  const Operands o;
  repeat(state, [&] {
    for (auto i = matrices; i > 0; --i) o.project();
    for (auto i = matrices; i > 0; --i) o.update();
  });
}

void update_by_grass_optimizer(benchmark::State& state) {
  const Operands o;
  std::vector<TrainedMatrix<float>> list;
  for (int i = 0; i < state.range(0); ++i) list.push_back({"w" + std::to_string(i), o.weight, true, true, 0});
  GrassOptimizerOptions options;
  options.grass.rank = r;
  options.grass.refresh_interval = std::int64_t{1} << 40;
  GrassOptimizer<float> optimizer(o.space, list, tokens, options);
  repeat(state, [&] {
    optimizer.begin_update(o.space, 1e-3);
    for (int i = 0; i < state.range(0); ++i) optimizer.accept_factors(i, o.output_gradient, o.input);
    optimizer.update();
  });
}

void update_by_c(benchmark::State& state) {
  const Operands o;
  std::vector<std::string> names;
  for (int i = 0; i < state.range(0); ++i) names.push_back("w" + std::to_string(i));
  std::vector<sward_trained_matrix> list;
  for (const std::string& name : names) list.push_back({name.c_str(), o.w, 1, 1, 0});
  sward_optimizer_options options;
  require_success(sward_optimizer_options_default(&options));
  options.rank = r;
  options.refresh_interval = std::int64_t{1} << 40;
  sward_optimizer* optimizer = nullptr;
  require_success(
      sward_optimizer_create(o.instance, list.data(), state.range(0), tokens, &options, nullptr, &optimizer));
  repeat(state, [&] {
    require_success(sward_optimizer_begin_update(optimizer, o.instance, 1e-3, 1));
    for (int i = 0; i < state.range(0); ++i) require_success(sward_optimizer_accept_factors(optimizer, i, &o.dy, &o.x));
    require_success(sward_optimizer_update(optimizer));
  });
  require_success(sward_optimizer_destroy(optimizer));
}

#define SWARD_PERF_CALL(name) BENCHMARK(name)->UseRealTime()->Unit(benchmark::kMicrosecond)
SWARD_PERF_CALL(call_of_c);
SWARD_PERF_CALL(row_norms_directly);
SWARD_PERF_CALL(row_norms_by_c);
SWARD_PERF_CALL(project_product_directly);
SWARD_PERF_CALL(project_product_by_c);
SWARD_PERF_CALL(grass_update_directly);
SWARD_PERF_CALL(grass_update_by_c);
SWARD_PERF_CALL(update_directly)->ArgName("matrices")->Arg(1)->Arg(4);
SWARD_PERF_CALL(update_by_grass_optimizer)->ArgName("matrices")->Arg(1)->Arg(4);
SWARD_PERF_CALL(update_by_c)->ArgName("matrices")->Arg(1)->Arg(4);

}  // namespace
}  // namespace Sward::Perf
