#include <gtest/gtest.h>

#include <algorithm>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TeamChunks.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class TeamChunks : public ::testing::Test {};
TYPED_TEST_SUITE(TeamChunks, TestSpaces);

template <class Space, class Input, class Copies, class Results>
void reduce_rows(const Input& input, const Copies& copies, const Results& sums, const Results& maxima) {
  const int columns = static_cast<int>(input.extent(1));
  using Member = typename Kokkos::TeamPolicy<Space>::member_type;
  Kokkos::parallel_for(
      "reduce_rows", row_policy(Space(), static_cast<int>(input.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        const double sum = team_sum(team, columns, [&](const int j) { return input(row, j); });
        const float maximum = team_maximum(team, columns, [&](const int j) { return input(row, j); });
        Kokkos::single(Kokkos::PerTeam(team), [&] {
          sums(row) = sum;
          maxima(row) = static_cast<double>(maximum);
        });
        for_each_chunk(team, columns, [&](const int begin, const int end) {
          for (int j = begin; j < end; ++j) copies(row, j) = input(row, j);
        });
      });
}

TYPED_TEST(TeamChunks, SumsMaximaAndVisitsEveryElementOnce) {
  for (const int columns : {1, 15, 32, 255, 256, 257, 1023, 1024, 1057, 5000}) {
    const std::size_t rows = 3;
    const auto input = random_matrix<float, TypeParam>(rows, static_cast<std::size_t>(columns), 7, -4.0, -1.0);
    const auto copies = poisoned_matrix<float, TypeParam>(rows, static_cast<std::size_t>(columns));
    const auto sums = poisoned_vector<double, TypeParam>(rows);
    const auto maxima = poisoned_vector<double, TypeParam>(rows);
    reduce_rows<TypeParam>(input, copies, sums, maxima);
    const auto values = to_host(input);
    const auto sum = make_vector<double, Kokkos::HostSpace>(rows, [&](std::size_t i) {
      double total = 0;
      for (int j = 0; j < columns; ++j) total += static_cast<double>(values(i, j));
      return total;
    });
    const auto maximum = make_vector<double, Kokkos::HostSpace>(
        rows, [&](std::size_t i) { return *std::max_element(&values(i, 0), &values(i, 0) + columns); });
    EXPECT_TRUE(all_close(copies, input, 0, 0)) << columns;
    EXPECT_TRUE(all_close(sums, sum, 4e-6, 0)) << columns;  // up to 37 additions in float
    EXPECT_TRUE(all_close(maxima, maximum, 0, 0)) << columns;
  }
}

}  // namespace
