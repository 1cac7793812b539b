#include "Sward_AdamUpdate.hpp"
#include "Sward_AdamWUpdate.hpp"
#include "Sward_ApplyRowUpdate.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_SelectTopRows.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

constexpr double word = sizeof(float);
constexpr AdamStep step{0.9, 0.999, 1e-8, 3, 1.0};

/// A selection of `rank` out of `extent` rows with the memory behind it.
struct OwnedSelection {
  Vector<int, Space> rows, order, drawn;
  Vector<float, Space> scale;
  Vector<double, Space> norms, keys, largest;
  Vector<std::uint64_t, Space> cumulative;
  RowSelection<Space> selection;
  SelectionWorkspace<Space> workspace;

  OwnedSelection(std::size_t extent, std::size_t rank, Side side)
      : rows("rows", rank),
        order("order", extent),
        drawn("drawn", rank),
        scale("scale", rank),
        norms("norms", extent),
        keys("keys", extent),
        largest("largest", 1),
        cumulative("cumulative", extent),
        selection{rows, scale, static_cast<int>(extent), side},
        workspace{keys, cumulative, order, drawn, largest} {
    Kokkos::deep_copy(norms, 1.0);
    sample(Selection::norm);
  }
  void sample(Selection scheme) const { sample_rows(Space(), scheme, norms, Draw{1, 2, 3}, workspace, selection); }
};

void adamw(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const auto gradient = random_matrix(rows, columns, 0);
  const Matrix<float, Space> first("first moment", rows, columns);
  const Matrix<float, Space> second("second moment", rows, columns);
  const Matrix<float, Space> weight("weight", rows, columns);
  measure(state, 7 * word * static_cast<double>(rows * columns), 0,
          [&] { adamw_update(Space(), step, 1e-3, 1e-4, gradient, first, second, weight); });
}

void adam_and_row_update(benchmark::State& state) {
  const auto extent = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const auto rank = static_cast<std::size_t>(state.range(2));
  const OwnedSelection owned(extent, rank, Side::rows);
  const auto gradient = random_matrix(rank, columns, 0);
  const Matrix<float, Space> first("first moment", rank, columns);
  const Matrix<float, Space> second("second moment", rank, columns);
  const Matrix<float, Space> weight("weight", extent, columns);
  measure(state, 9 * word * static_cast<double>(rank * columns), 0, [&] {
    adam_update(Space(), step, gradient, first, second, gradient);
    apply_row_update(Space(), owned.selection, gradient, 1e-3, 0.0, weight);
  });
}

void norms_of_rows(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const Side side = state.range(2) == 0 ? Side::rows : Side::columns;
  const auto gradient = random_matrix(rows, columns, 0);
  const Vector<double, Space> norms("norms", side == Side::rows ? rows : columns);
  measure(state, word * static_cast<double>(rows * columns), 0, [&] { row_norms(Space(), gradient, side, norms); });
}

void selection_of(benchmark::State& state) {
  const OwnedSelection owned(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)),
                             Side::rows);
  const auto scheme = static_cast<Selection>(state.range(2));
  measure(state, 0, 0, [&] {
    if (scheme == Selection::top_r) {
      select_top_rows(Space(), owned.norms, owned.workspace, owned.selection);
    } else {
      owned.sample(scheme);
    }
  });
}

BENCHMARK(adamw)->ArgNames({"m", "n"})->Args({14000, 384})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(adam_and_row_update)
    ->ArgNames({"m", "n", "r"})
    ->Args({384, 1024, 96})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(norms_of_rows)
    ->ArgNames({"m", "n", "side"})
    ->Args({384, 1024, 0})
    ->Args({1024, 384, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(selection_of)
    ->ArgNames({"m", "r", "scheme"})
    ->ArgsProduct({{384, 2048}, {96}, {0, 1, 4}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
