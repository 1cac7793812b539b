// Selects the largest rows of a matrix and multiplies by them, on this program's own views, and compares with loops.
#include <Kokkos_Core.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <vector>

#include "Sward_MatrixProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SelectTopRows.hpp"

namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Matrix = Kokkos::View<double**, Kokkos::LayoutRight, Space>;
template <class Value>
using List = Kokkos::View<Value*, Kokkos::LayoutRight, Space>;

constexpr int row_count = 12;
constexpr int column_count = 7;
constexpr int selected_count = 4;

double element(int row, int column) { return std::sin(3.0 * row + 0.7 * column) * (1 + (5 * row) % row_count); }

Matrix make_matrix() {
  const Matrix matrix("matrix", row_count, column_count);
  const auto host = Kokkos::create_mirror_view(matrix);
  for (int row = 0; row < row_count; ++row) {
    for (int column = 0; column < column_count; ++column) host(row, column) = element(row, column);
  }
  Kokkos::deep_copy(matrix, host);
  return matrix;
}

std::vector<int> largest_rows() {
  std::vector<double> norms(row_count, 0.0);
  for (int row = 0; row < row_count; ++row) {
    for (int column = 0; column < column_count; ++column) norms[row] += element(row, column) * element(row, column);
  }
  std::vector<int> order(row_count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int left, int right) { return norms[left] > norms[right]; });
  order.resize(selected_count);
  std::sort(order.begin(), order.end());
  return order;
}

/// The selected rows times their transpose.
double gram_element(const std::vector<int>& rows, int i, int j) {
  double sum = 0.0;
  for (int column = 0; column < column_count; ++column) sum += element(rows[i], column) * element(rows[j], column);
  return sum;
}

int count_differences(const List<int>& rows, const Matrix& gram) {
  const auto host_rows = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, rows);
  const auto host_gram = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, gram);
  const std::vector<int> wanted = largest_rows();
  int differences = 0;
  for (int i = 0; i < selected_count; ++i) {
    differences += host_rows(i) != wanted[i];
    for (int j = 0; j < selected_count; ++j) {
      differences += !(std::abs(host_gram(i, j) - gram_element(wanted, i, j)) < 1e-10);
    }
  }
  return differences;
}

int run() {
  const Space space;
  const Matrix matrix = make_matrix();
  const List<double> norms("norms", row_count);
  const List<int> rows("rows", selected_count);
  const List<float> scale("scale", selected_count);
  const List<std::uint64_t> keys("keys", row_count);
  const List<int> counts("counts", row_count);
  const Sward::RowSelection<Space> selection{rows, scale, row_count, Sward::Side::rows};
  const Sward::SelectionWorkspace<Space> workspace{keys, counts};
  const Matrix compressed("compressed", selected_count, column_count);
  const Matrix gram("gram", selected_count, selected_count);

  Sward::row_norms(space, matrix, Sward::Side::rows, norms);
  Sward::select_top_rows(space, norms, workspace, selection);
  Sward::project_rows(space, selection, matrix, compressed);
  Sward::matrix_product(space, Sward::Transpose::no, Sward::Transpose::yes, 1.0, compressed, compressed, 0.0, gram);
  space.fence();

  const int differences = count_differences(rows, gram);
  std::printf("%d differences\n", differences);
  return differences == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard kokkos(argc, argv);
  return run();
}
