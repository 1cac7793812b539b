#include <Kokkos_Core.hpp>
#include <cstdio>

#include "Sward_NormalValues.hpp"
#include "Sward_RowNorms.hpp"

using Space = Kokkos::DefaultExecutionSpace;
using Matrix = Kokkos::View<float**, Kokkos::LayoutRight, Space>;
using List = Kokkos::View<double*, Space>;

constexpr int rows = 40, columns = 30;

void draw_and_measure(const Space& space, const Matrix& matrix, const List& norms) {
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 0}, 1.0, matrix);
  Sward::row_norms(space, matrix, Sward::Side::rows, norms);
}

bool agree() {
  const auto instances = Kokkos::Experimental::partition_space(Space(), 1, 1);
  const Matrix first("first", rows, columns), second("second", rows, columns);
  const List first_norms("norms of first", rows), second_norms("norms of second", rows);
  draw_and_measure(instances[0], first, first_norms);
  draw_and_measure(instances[1], second, second_norms);
  instances[0].fence();
  instances[1].fence();

  const auto a = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, first_norms);
  const auto b = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, second_norms);
  for (int i = 0; i < rows; ++i)
    if (a(i) != b(i) || !(a(i) > 0.0)) return false;
  return true;
}

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard kokkos(argc, argv);
  const bool same = agree();
  std::printf("%s\n", same ? "the same bits" : "different");
  return same ? 0 : 1;
}
