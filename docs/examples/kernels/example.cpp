#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>

#include "Sward_MatrixProduct.hpp"
#include "Sward_NormalValues.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SelectTopRows.hpp"

using Space = Kokkos::DefaultExecutionSpace;
using Matrix = Kokkos::View<float**, Kokkos::LayoutRight, Space>;
template <class Value>
using List = Kokkos::View<Value*, Kokkos::LayoutRight, Space>;

constexpr int tokens = 64, outputs = 24, inputs = 40, rank = 6;

double largest_difference() {
  const Space space;
  const Matrix output_gradient("dY", tokens, outputs), input("X", tokens, inputs);
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 0}, 1.0, output_gradient);
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 1}, 1.0, input);

  const List<int> rows("rows", rank), counts("counts", outputs);
  const List<float> scale("scale", rank);
  const List<double> norms("norms", outputs);
  const List<std::uint64_t> keys("keys", outputs);
  const Sward::SelectionWorkspace<Space> workspace{keys, counts};
  const Sward::RowSelection<Space> selection{rows, scale, outputs, Sward::Side::rows};

  const Matrix whole("G", outputs, inputs), wanted("rows of G", rank, inputs);
  Sward::matrix_product(space, Sward::Transpose::yes, Sward::Transpose::no, 1.0F, output_gradient, input, 0.0F, whole);
  Sward::row_norms(space, whole, Sward::Side::rows, norms);
  Sward::select_top_rows(space, norms, workspace, selection);
  Sward::project_rows(space, selection, whole, wanted);

  const Matrix gathered("dY of the rows", tokens, rank), compressed("compressed", rank, inputs);
  Sward::project_product(space, selection, output_gradient, input, gathered, 0.0F, compressed);
  space.fence();

  const auto a = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, compressed);
  const auto b = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, wanted);
  double difference = 0;
  for (int i = 0; i < rank; ++i)
    for (int j = 0; j < inputs; ++j) difference = std::fmax(difference, std::fabs(a(i, j) - b(i, j)));
  return difference;
}

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard kokkos(argc, argv);
  const double difference = largest_difference();
  std::printf("largest difference %.1e\n", difference);
  return difference < 1e-4 ? 0 : 1;
}
