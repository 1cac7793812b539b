#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SampleWithReplacement : public ::testing::Test {};
TYPED_TEST_SUITE(SampleWithReplacement, TestSpaces);

using Norms = std::vector<double>;
constexpr auto schemes = {Selection::norm_replacement, Selection::norm_squared_replacement,
                          Selection::uniform_replacement};

/// q of every row.
std::vector<double> probabilities(Selection scheme, const Norms& norms) {
  std::vector<double> weights(norms.size());
  for (std::size_t k = 0; k < norms.size(); ++k) {
    if (scheme == Selection::norm_replacement) weights[k] = norms[k];
    if (scheme == Selection::norm_squared_replacement) weights[k] = norms[k] * norms[k];
    if (scheme == Selection::uniform_replacement) weights[k] = 1;
  }
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= total;
  return weights;
}

template <class Space>
SelectionMemory<Space> sample(Selection scheme, const Norms& norms, std::size_t rank, const Draw& draw) {
  SelectionMemory<Space> memory(norms.size(), rank);
  sample_rows(Space(), scheme, from_list<double, Space>(norms), draw, memory.workspace(), memory.selection());
  return memory;
}

/// Samples on the host `draws` times and hands each selection to use(rows, scale).
template <class Use>
void repeat_sampling(Selection scheme, const Norms& norms, std::size_t rank, int draws, const Use& use) {
  const Kokkos::Serial space;
  const SelectionMemory<Kokkos::Serial> memory(norms.size(), rank);
  const auto norms_view = from_list<double, Kokkos::Serial>(norms);
  for (int step = 0; step < draws; ++step) {
    const Draw draw{21, static_cast<std::uint64_t>(step), 5};
    sample_rows(space, scheme, norms_view, draw, memory.workspace(), memory.selection());
    use(memory.rows, memory.scale);
  }
}

TEST(SampleWithReplacementDistribution, DrawsEveryRowWithItsProbability) {
  const Norms norms = {0.5, 2.0, 0.0, 1.0, 3.0, 0.25};
  constexpr int draws = 20000;
  constexpr std::size_t rank = 4;
  for (const Selection scheme : schemes) {
    const std::vector<double> q = probabilities(scheme, norms);
    std::vector<double> frequencies(norms.size(), 0.0);
    repeat_sampling(scheme, norms, rank, draws, [&](const auto& rows, const auto& scale) {
      for (std::size_t slot = 0; slot < rank; ++slot) {
        const auto row = static_cast<std::size_t>(rows(slot));
        frequencies[row] += 1.0 / (draws * rank);
        ASSERT_TRUE(slot == 0 || rows(slot - 1) <= rows(slot));
        ASSERT_NEAR(static_cast<double>(scale(slot)) * std::sqrt(rank * q[row]), 1.0, 1e-7);  // rounding to float
      }
    });
    for (std::size_t k = 0; k < norms.size(); ++k)
      EXPECT_NEAR(frequencies[k], q[k], 4.5 * std::sqrt(q[k] * (1 - q[k]) / (draws * rank))) << "row " << k;
  }
}

/// The sum over slots of rho^2 G[row], which is what B' rho rho B makes of G.
template <class Gradient, class Rows, class Scale>
Matrix<double, Kokkos::HostSpace> estimate(const Gradient& gradient, const Rows& rows, const Scale& scale) {
  Matrix<double, Kokkos::HostSpace> result("estimate", gradient.extent(0), gradient.extent(1));
  for (std::size_t slot = 0; slot < rows.extent(0); ++slot)
    for (std::size_t j = 0; j < gradient.extent(1); ++j)
      result(rows(slot), j) += std::pow(static_cast<double>(scale(slot)), 2) * gradient(rows(slot), j);
  return result;
}

TEST(SampleWithReplacementDistribution, GivesAnUnbiasedEstimateWithItsVariance) {
  constexpr int draws = 60000;
  constexpr std::size_t m = 5, n = 3, rank = 3;
  const auto gradient = make_matrix<double, Kokkos::HostSpace>(m, n, [](std::size_t i, std::size_t j) {
    return static_cast<double>(i + 1) * std::cos(static_cast<double>(i + 2 * j));
  });
  Norms norms(m, 0.0);
  double squares = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) norms[i] += gradient(i, j) * gradient(i, j);
    squares += norms[i];
    norms[i] = std::sqrt(norms[i]);
  }
  for (const Selection scheme : schemes) {
    const Matrix<double, Kokkos::HostSpace> sum("sum", m, n), sum_of_squares("sum_of_squares", m, n);
    double distance = 0;
    repeat_sampling(scheme, norms, rank, draws, [&](const auto& rows, const auto& scale) {
      const auto estimated = estimate(gradient, rows, scale);
      for (std::size_t i = 0; i < m; ++i)
        for (std::size_t j = 0; j < n; ++j) {
          sum(i, j) += estimated(i, j);
          sum_of_squares(i, j) += std::pow(estimated(i, j), 2);
          distance += std::pow(estimated(i, j) - gradient(i, j), 2);
        }
    });
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        const double mean = sum(i, j) / draws;
        const double deviation = std::sqrt(sum_of_squares(i, j) / draws - mean * mean);
        EXPECT_NEAR(mean, gradient(i, j), 4 * deviation / std::sqrt(draws)) << i << ", " << j;
      }
    const std::vector<double> q = probabilities(scheme, norms);
    double variance = -squares / rank;
    for (std::size_t k = 0; k < m; ++k) variance += norms[k] * norms[k] / q[k] / rank;
    EXPECT_NEAR(distance / draws, variance, 0.05 * variance);
  }
}

/// The rows that cumulative sums in long double give for the same random numbers.
std::vector<int> searched_rows(const std::vector<double>& q, std::size_t rank, const Draw& draw) {
  std::vector<int> rows(rank);
  for (std::size_t slot = 0; slot < rank; ++slot) {
    const auto target = static_cast<long double>(uniform_open(draw, slot));
    long double sum = q[0];
    while (sum <= target) sum += static_cast<long double>(q[static_cast<std::size_t>(++rows[slot])]);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

TYPED_TEST(SampleWithReplacement, GivesTheRowsOfTheDistributionOnEverySpace) {
  const Draw draw{3, 40, 2};
  for (const std::size_t extent : {700, 2048, 4096, 4097}) {
    const Norms norms = to_list(random_vector<double, Kokkos::Serial>(extent, 3, 0, 1));
    for (const Selection scheme : schemes) {
      const std::vector<double> q = probabilities(scheme, norms);
      for (const std::size_t rank : {std::size_t(1), extent / 5, extent}) {
        const auto memory = sample<TypeParam>(scheme, norms, rank, draw);
        const auto serial = sample<Kokkos::Serial>(scheme, norms, rank, draw);
        EXPECT_EQ(to_list(memory.rows), searched_rows(q, rank, draw)) << extent << ", " << rank;
        EXPECT_EQ(to_list(memory.scale), to_list(serial.scale)) << extent << ", " << rank;
      }
    }
  }
}

TYPED_TEST(SampleWithReplacement, ScaleIsThatOfTheRow) {
  const Norms norms = to_list(random_vector<double, Kokkos::Serial>(50, 3, 0.1, 1));
  for (const Selection scheme : schemes) {
    const auto memory = sample<TypeParam>(scheme, norms, 40, Draw{1, 0, 2});
    const std::vector<double> q = probabilities(scheme, norms);
    const auto rows = to_list(memory.rows);
    const auto expected = make_vector<double, Kokkos::HostSpace>(
        40, [&](std::size_t slot) { return 1 / std::sqrt(40 * q[static_cast<std::size_t>(rows[slot])]); });
    EXPECT_NE(std::adjacent_find(rows.begin(), rows.end()), rows.end());  // some row has two slots
    EXPECT_TRUE(all_close(memory.scale, expected, 1e-7, 0));              // rounding to float
  }
}

TYPED_TEST(SampleWithReplacement, IsUniformWhenAllNormsAreZero) {
  const Draw draw{8, 1, 0};
  for (const Selection scheme : schemes) {
    const auto memory = sample<TypeParam>(scheme, Norms(64, 0.0), 16, draw);
    EXPECT_EQ(to_list(memory.rows), searched_rows(std::vector<double>(64, 1.0 / 64), 16, draw));
    EXPECT_EQ(to_list(memory.scale), std::vector<float>(16, 2.0F));
  }
}

TYPED_TEST(SampleWithReplacement, RowsThatAreNotFiniteShareAllDraws) {
  Norms norms(30, 1e30);
  norms[7] = std::numeric_limits<double>::quiet_NaN();
  norms[21] = std::numeric_limits<double>::infinity();
  for (const Selection scheme : {Selection::norm_replacement, Selection::norm_squared_replacement}) {
    const auto memory = sample<TypeParam>(scheme, norms, 20, Draw{8, 2, 0});
    const auto rows = to_list(memory.rows);
    EXPECT_EQ(rows.front(), 7);
    EXPECT_EQ(rows.back(), 21);
    EXPECT_EQ(std::count(rows.begin(), rows.end(), 7) + std::count(rows.begin(), rows.end(), 21), 20);
    const auto expected = make_vector<double, Kokkos::HostSpace>(20, [](auto) { return std::sqrt(0.1); });
    EXPECT_TRUE(all_close(memory.scale, expected, 1e-7, 0));
  }
}

/// The sums of weights that rows are drawn by.
template <class Space>
std::vector<std::uint64_t> cumulative_weights(int power, const Norms& norms) {
  using Sums = ScanScratch<Space, std::uint64_t>;
  const auto norms_view = from_list<double, Space>(norms);
  const Vector<std::uint64_t, Space> cumulative("cumulative", norms.size());
  const double one = weight_of_largest(static_cast<int>(norms.size()));
  auto policy = single_team_policy(Space());
  policy.set_scratch_size(0, Kokkos::PerTeam(Sums::bytes(policy.team_size())));
  Kokkos::parallel_for(
      "cumulative_weights", policy, KOKKOS_LAMBDA(const typename decltype(policy)::member_type& team) {
        accumulate_weights(team, power, one, norms_view, Sums(team), cumulative);
      });
  return to_list(cumulative);
}

TYPED_TEST(SampleWithReplacement, WeightsAreExactAndNoneIsLost) {
  // Row 1 rounds to no weight at all, but can be drawn; row 2 cannot.
  const std::vector<std::uint64_t> cumulative = cumulative_weights<TypeParam>(2, {3.0, 1e-30, 0.0, 1.5});
  const std::uint64_t one = cumulative[0];
  EXPECT_EQ(one, std::uint64_t(1) << 50);
  EXPECT_EQ(cumulative, (std::vector<std::uint64_t>{one, one + 1, one + 1, one + 1 + one / 4}));
}

TYPED_TEST(SampleWithReplacement, SumOfWeightsStaysCountable) {
  for (const std::size_t extent : {1, 2, 3, 1000, 1025, 5461}) {
    const std::uint64_t total = cumulative_weights<TypeParam>(1, Norms(extent, 0.7)).back();
    EXPECT_LE(total, std::uint64_t(1) << 52) << extent;
    EXPECT_GE(total, std::uint64_t(1) << 51) << extent;
  }
}

TYPED_TEST(SampleWithReplacement, DrawsOnlyRowsWithNormsAtTheEndsOfTheDoubles) {
  constexpr double least = std::numeric_limits<double>::denorm_min(), most = std::numeric_limits<double>::max();
  for (const Selection scheme : {Selection::norm_replacement, Selection::norm_squared_replacement}) {
    for (const double norm : {least, most}) {
      const auto rows = to_list(sample<TypeParam>(scheme, {0.0, norm, 0.0, norm, 0.0}, 5, Draw{1, 2, 3}).rows);
      EXPECT_EQ(std::count(rows.begin(), rows.end(), 1) + std::count(rows.begin(), rows.end(), 3), 5) << norm;
    }
  }
}

TEST(FindRow, IsTheFirstWhoseSumExceedsTheTarget) {
  const auto cumulative = from_list<std::uint64_t, Kokkos::Serial>({0, 3, 3, 5, 5});
  const std::vector<int> expected = {1, 1, 1, 3, 3};
  for (std::size_t target = 0; target < expected.size(); ++target)
    EXPECT_EQ(find_row(cumulative, target), expected[target]) << target;
}

}  // namespace
