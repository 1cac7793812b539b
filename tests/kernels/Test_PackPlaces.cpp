#include <gtest/gtest.h>

#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_PackPlaces.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Places : public ::testing::Test {};
TYPED_TEST_SUITE(Places, TestSpaces);

template <int N, int count, class Space, class Visits>
void visit_all(const Visits& visits) {
  const int rows = static_cast<int>(visits.extent(0));
  const int columns = static_cast<int>(visits.extent(1));
  Kokkos::parallel_for(
      "visit_all", PackPlaces<N, count>::policy(Space(), rows, columns),
      KOKKOS_LAMBDA(const typename Kokkos::TeamPolicy<Space>::member_type& team) {
        const PackPlaces<N, count> places(team, rows, columns);
        for (int k = 0; k < count; ++k)
          for (int e = 0; e < N && places.exists(k); ++e)
            Kokkos::atomic_inc(&visits(places.row(k), places.column(k) + e));
      });
}

template <int N, int count, class Space>
void visits_every_element_once(std::size_t rows, std::size_t columns) {
  const Matrix<int, Space> visits("visits", rows, columns);
  visit_all<N, count, Space>(visits);
  EXPECT_TRUE(all_close(visits, make_matrix<int, Kokkos::HostSpace>(rows, columns, [](auto, auto) { return 1; }), 0, 0))
      << rows << ", " << columns;
}

TYPED_TEST(Places, VisitEveryElementOnce) {
  for (const auto& [m, n] : {std::pair{1, 8}, {0, 8}, {3, 0}, {300, 8}, {17, 40}, {2, 20000}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    visits_every_element_once<8, 2, TypeParam>(rows, columns);
    visits_every_element_once<4, 4, TypeParam>(rows, columns);
    visits_every_element_once<1, 4, TypeParam>(rows, columns);
  }
}

TYPED_TEST(Places, RefuseMoreThan32BitsCount) {
  EXPECT_THROW((PackPlaces<1, 1>::policy(TypeParam(), 1 << 20, 1 << 12)), std::invalid_argument);
}

}  // namespace
