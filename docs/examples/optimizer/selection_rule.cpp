// A selection rule of one's own: from each band of neighbouring rows, such as a head of attention, one row is drawn in
// proportion to a running mean of its norm. What takes Sward's selections takes this one.
#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "Sward_GrassUpdate.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_NormalValues.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_Views.hpp"

using Space = Kokkos::DefaultExecutionSpace;
using Matrix = Sward::Matrix<float, Space>;
using Norms = Sward::Vector<double, Space>;
using Selection = Sward::RowSelection<Space>;

/// Of r bands of m rows, band j ends before row (j + 1) m / r. Numbers have to ascend; ρ is 1.
void draw_from_bands(const Space& space, const Norms& norms, const Norms& means, const Sward::Draw& draw,
                     const Selection& selection) {
  const auto weigh_and_draw = KOKKOS_LAMBDA(const int band) {
    const int begin = band * selection.extent / selection.rank();
    const int end = (band + 1) * selection.extent / selection.rank();
    double total = 0.0;
    for (int row = begin; row < end; ++row) total += means(row) = 0.9 * means(row) + 0.1 * norms(row);
    double left = total * Sward::uniform_open(draw, static_cast<std::uint64_t>(band));
    int row = begin;
    while (row + 1 < end && (left -= means(row)) > 0.0) ++row;
    selection.rows(band) = row;
    selection.scale(band) = 1.0F;
  };
  Kokkos::parallel_for("draw_from_bands", Kokkos::RangePolicy<Space>(space, 0, selection.rank()), weigh_and_draw);
}

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard kokkos(argc, argv);
  constexpr int tokens = 32, outputs = 24, inputs = 40, rank = 4, band = outputs / rank, draws = 4000;
  const Space space;
  const Matrix dy("dY", tokens, outputs), x("X", tokens, inputs), whole("G", outputs, inputs), w("W", outputs, inputs);
  const Matrix gathered("dY of the rows", tokens, rank), gradient("rows of G", rank, inputs);
  const Matrix first("first moment", rank, inputs), second("second moment", rank, inputs);
  const Norms norms("norms", outputs), means("means", outputs);
  const Sward::Vector<int, Space> rows("rows", rank);
  const Sward::Vector<float, Space> scale("scale", rank);
  const Selection selection{rows, scale, outputs, Sward::Side::rows};
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 0}, 1.0, dy);
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 1}, 1.0, x);
  Sward::matrix_product(space, Sward::Transpose::yes, Sward::Transpose::no, 1.0F, dy, x, 0.0F, whole);
  Sward::row_norms(space, whole, Sward::Side::rows, norms);

  int counts[outputs] = {};
  for (std::uint64_t step = 0; step < draws; ++step) {
    draw_from_bands(space, norms, means, {.seed = 2, .step = step, .matrix = 0}, selection);
    const auto drawn = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, rows);
    for (int slot = 0; slot < rank; ++slot) ++counts[drawn(slot)];
  }
  // The last selection: Adam's first step moves every element of a selected row by the rate, and no other.
  Sward::project_product(space, selection, dy, x, gathered, 0.0F, gradient);
  Sward::grass_update(space, selection, {0.9, 0.999, 1e-8, 1}, 0.5, 0.0, {}, gradient, first, second, w);
  const auto last = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, rows);
  const auto mean = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, means);
  const auto weight = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, w);
  double largest = 0.0, total = 0.0;  // distance of a count from what is expected, in standard deviations
  int wrong = 0;
  for (int row = 0; row < outputs; ++row) {
    if (row % band == 0) total = 0.0;
    for (int i = row - row % band; row % band == 0 && i < row + band; ++i) total += mean(i);
    const double share = mean(row) / total;
    largest = std::fmax(largest, std::fabs(counts[row] - draws * share) / std::sqrt(draws * share * (1.0 - share)));
    for (int j = 0; j < inputs; ++j)
      wrong += std::fabs(std::fabs(weight(row, j)) - (row == last(row / band) ? 0.5 : 0.0)) > 1e-5;
  }
  std::printf("%.1f standard deviations, %d elements wrong\n", largest, wrong);
  return largest < 4.5 && wrong == 0 ? 0 : 1;
}
