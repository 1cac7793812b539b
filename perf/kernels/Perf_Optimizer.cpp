#include <type_traits>
#include <vector>

#include "Sward_AdamWUpdate.hpp"
#include "Sward_Benchmark.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_SelectTopRows.hpp"

namespace {

using namespace Sward;
using namespace Sward::Perf;

constexpr double word = sizeof(float);
constexpr AdamStep step{0.9, 0.999, 1e-8, 3, 1.0};
const Rounding rounding{true, Draw{1, 2, 3}};

/// A selection of `rank` out of `extent` rows with the memory behind it.
struct OwnedSelection {
  Vector<int, Space> rows, counts;
  Vector<float, Space> scale;
  Vector<double, Space> norms;
  Vector<std::uint64_t, Space> keys;
  RowSelection<Space> selection;
  SelectionWorkspace<Space> workspace;

  OwnedSelection(std::size_t extent, std::size_t rank, Side side)
      : rows("rows", rank),
        counts("counts", extent),
        scale("scale", rank),
        norms("norms", extent),
        keys("keys", extent),
        selection{rows, scale, static_cast<int>(extent), side},
        workspace{keys, counts} {
    // Unlike equal ones, these make top-r look for the cut.
    const auto host = Kokkos::create_mirror_view(norms);
    for (std::size_t k = 0; k < extent; ++k) host(k) = 0.5 + uniform_open(Draw{4, 5, 6}, k);
    Kokkos::deep_copy(norms, host);
    sample(Selection::norm);
  }
  void sample(Selection scheme) const { sample_rows(Space(), scheme, norms, Draw{1, 2, 3}, workspace, selection); }
};

template <class Element>
struct MomentMatrix {
  static constexpr double bytes = sizeof(Element);
  Matrix<Element, Space> storage;
  MomentMatrix(std::size_t rows, std::size_t columns) : storage("moment", rows, columns) {}
};

struct EightBits;
template <>
struct MomentMatrix<EightBits> {
  static constexpr double bytes = 1.0 + 4.0 / block_extent;
  Matrix<std::uint8_t, Space> codes;
  Matrix<float, Space> scales;
  MomentCodes<Space> storage;
  MomentMatrix(std::size_t rows, std::size_t columns)
      : codes("codes", rows, columns),
        scales("scales", rows, static_cast<std::size_t>(blocks_of(static_cast<int>(columns)))),
        storage{codes, scales} {}
};

/// What an update of one matrix reads and writes.
template <class Weight, class Element>
struct UpdateOperands {
  Matrix<float, Space> gradient;
  MomentMatrix<Element> first, second;
  Matrix<Weight, Space> weight;

  UpdateOperands(std::size_t rows, std::size_t columns, std::size_t weight_rows, std::size_t weight_columns)
      : gradient(random_matrix(rows, columns, 0)),
        first(rows, columns),
        second(rows, columns),
        weight("weight", weight_rows, weight_columns) {}
};

/// Updates several matrices in turn, on GPUs so many that none is still in a cache when its turn comes again.
template <class Make, class Update>
void measure_updates(benchmark::State& state, double bytes, const Make& make, const Update& update) {
  const std::size_t matrices = runs_on_host<Space> ? 1 : static_cast<std::size_t>(4e8 / bytes) + 2;
  std::vector<decltype(make())> all;
  for (std::size_t i = 0; i < matrices; ++i) all.push_back(make());
  measure(state, bytes * static_cast<double>(matrices), 0, [&] {
    for (const auto& operands : all) update(operands);
  });
  state.counters["matrices"] = static_cast<double>(matrices);
}

template <class Weight, class Element>
void adamw(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const double element_bytes = word + 4 * MomentMatrix<Element>::bytes + 2.0 * sizeof(Weight);
  measure_updates(
      state, element_bytes * static_cast<double>(rows * columns),
      [&] { return UpdateOperands<Weight, Element>(rows, columns, rows, columns); },
      [&](const auto& x) {
        adamw_update(Space(), step, 1e-3, 1e-4, rounding, x.gradient, x.first.storage, x.second.storage, x.weight);
      });
}

/// The weight is m x n, and r of its rows (side 0) or columns (side 1) are selected. Bytes count the whole rows of the
/// weight for columns, since hardly a sector of 32 bytes holds none of them.
template <class Weight, class Element>
void grass(benchmark::State& state) {
  const auto m = static_cast<std::size_t>(state.range(0));
  const auto n = static_cast<std::size_t>(state.range(1));
  const auto rank = static_cast<std::size_t>(state.range(2));
  const bool by_rows = state.range(3) == 0;
  const OwnedSelection owned(by_rows ? m : n, rank, by_rows ? Side::rows : Side::columns);
  const std::size_t rows = by_rows ? rank : m;
  const std::size_t columns = by_rows ? n : rank;
  const double bytes = (word + 4 * MomentMatrix<Element>::bytes) * static_cast<double>(rows * columns) +
                       2.0 * sizeof(Weight) * static_cast<double>(rows * n);
  measure_updates(
      state, bytes, [&] { return UpdateOperands<Weight, Element>(rows, columns, m, n); },
      [&](const auto& x) {
        grass_update(Space(), owned.selection, step, 1e-3, 0.0, rounding, x.gradient, x.first.storage, x.second.storage,
                     x.weight);
      });
}

/// As the optimizer's matrices are: views that own what they see are larger, and fewer of them fit into a launch.
template <class T>
using Unowned = Kokkos::View<T**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;

/// A layer of LLaMA 1B: its seven projected matrices, whose smaller side has 2,048 rows or columns, and its two norms.
template <class Weight, class Element>
class LayerOperands {
  using Storage = std::conditional_t<std::is_same_v<Element, EightBits>, MomentCodes<Space>, Unowned<Element>>;
  using Update = RowUpdate<Space, Unowned<float>, Storage, Storage, Unowned<Weight>>;

 public:
  static constexpr std::size_t hidden = 2048, intermediate = 5504, rank = 512;
  static constexpr double compressed = 4.0 * rank * hidden + 3.0 * rank * intermediate + 2.0 * hidden;
  static constexpr double touched = 4.0 * rank * hidden + (rank + 2.0 * hidden) * intermediate + 2.0 * hidden;
  static constexpr double bytes =
      (word + 4 * MomentMatrix<Element>::bytes) * compressed + 2.0 * sizeof(Weight) * touched;

  LayerOperands(const RowSelection<Space>& rows, const RowSelection<Space>& columns) {
    for (int i = 0; i < 2; ++i) {
      const auto& x = kept_.emplace_back(1, hidden, 1, hidden);
      batch_.add(adamw_row_update<Space>(step, 1e-3, 0.0, rounding, Unowned<float>(x.gradient),
                                         Storage(x.first.storage), Storage(x.second.storage),
                                         Unowned<Weight>(x.weight)));
    }
    for (int i = 0; i < 4; ++i) add(rows, {rank, hidden, hidden, hidden});
    for (int i = 0; i < 2; ++i) add(columns, {intermediate, rank, intermediate, hidden});
    add(rows, {rank, intermediate, hidden, intermediate});
  }

  void update() const { launch_updates("Sward::grass_update", Space(), batch_); }

 private:
  void add(const RowSelection<Space>& selection, const UpdateOperands<Weight, Element>& operands) {
    const auto& x = kept_.emplace_back(operands);
    batch_.add(grass_row_update(selection, step, 1e-3, 0.0, rounding, Unowned<float>(x.gradient),
                                Storage(x.first.storage), Storage(x.second.storage), Unowned<Weight>(x.weight)));
  }

  std::vector<UpdateOperands<Weight, Element>> kept_;
  UpdateBatch<Update, updates_of_a_launch<Update>> batch_;
};

template <class Weight, class Element>
void grass_layer(benchmark::State& state) {
  using Layer = LayerOperands<Weight, Element>;
  const OwnedSelection rows(Layer::hidden, Layer::rank, Side::rows);
  const OwnedSelection columns(Layer::hidden, Layer::rank, Side::columns);
  measure_updates(
      state, Layer::bytes, [&] { return Layer(rows.selection, columns.selection); },
      [](const Layer& layer) { layer.update(); });
}

void norms_of_rows(benchmark::State& state) {
  const auto rows = static_cast<std::size_t>(state.range(0));
  const auto columns = static_cast<std::size_t>(state.range(1));
  const Side side = state.range(2) == 0 ? Side::rows : Side::columns;
  const auto gradient = random_matrix(rows, columns, 0);
  const Vector<double, Space> norms("norms", side == Side::rows ? rows : columns);
  measure(state, word * static_cast<double>(rows * columns), 0, [&] { row_norms(Space(), gradient, side, norms); });
}

/// The rows of all the matrices of a model, chosen one after another.
void selection_of(benchmark::State& state) {
  const OwnedSelection owned(static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)),
                             Side::rows);
  const auto scheme = static_cast<Selection>(state.range(2));
  const auto matrices = state.range(3);
  measure(state, 0, 0, [&] {
    for (auto i = matrices; i > 0; --i) {
      if (scheme == Selection::top_r) {
        select_top_rows(Space(), owned.norms, owned.workspace, owned.selection);
      } else {
        owned.sample(scheme);
      }
    }
  });
}

#define SWARD_PERF_UPDATE(...)            \
  BENCHMARK(adamw<__VA_ARGS__>)           \
      ->ArgNames({"m", "n"})              \
      ->Args({14000, 384})                \
      ->Args({32000, 2048})               \
      ->UseRealTime()                     \
      ->Unit(benchmark::kMillisecond);    \
  BENCHMARK(grass<__VA_ARGS__>)           \
      ->ArgNames({"m", "n", "r", "side"}) \
      ->Args({384, 1024, 96, 0})          \
      ->Args({2048, 2048, 512, 0})        \
      ->Args({2048, 5504, 512, 0})        \
      ->Args({2048, 2048, 512, 1})        \
      ->Args({5504, 2048, 512, 1})        \
      ->UseRealTime()                     \
      ->Unit(benchmark::kMillisecond);    \
  BENCHMARK(grass_layer<__VA_ARGS__>)->UseRealTime()->Unit(benchmark::kMillisecond)
SWARD_PERF_UPDATE(float, float);
SWARD_PERF_UPDATE(BFloat16, float);
SWARD_PERF_UPDATE(BFloat16, BFloat16);
SWARD_PERF_UPDATE(BFloat16, EightBits);
BENCHMARK(norms_of_rows)
    ->ArgNames({"m", "n", "side"})
    ->Args({384, 1024, 0})
    ->Args({1024, 384, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(selection_of)
    ->ArgNames({"m", "r", "scheme", "matrices"})
    ->ArgsProduct({{384, 2048}, {96}, {0, 1, 4}, {1}})
    ->ArgsProduct({{2048}, {512}, {0, 1, 2, 3, 4}, {168}})
    ->ArgsProduct({{22016}, {512}, {0, 1}, {168}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
