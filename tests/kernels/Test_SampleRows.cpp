#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <utility>
#include <vector>

#include "Sward_NormsOfAllKinds.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SampleRows : public ::testing::Test {};
TYPED_TEST_SUITE(SampleRows, TestSpaces);

using Norms = std::vector<double>;
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class Space>
std::vector<int> sample(Selection scheme, const Norms& norms, std::size_t rank, const Draw& draw) {
  const SelectionMemory<Space> memory(norms.size(), rank);
  sample_rows(Space(), scheme, from_list<double, Space>(norms), draw, memory.workspace(), memory.selection());
  return to_list(memory.rows);
}

/// Sets of rows, bit k for row k, each with its probability or frequency.
using Sets = std::map<unsigned, double>;

/// Adds the probabilities of all ways to draw `rank` more rows, each in proportion to its weight among those left.
void add_successive_draws(const std::vector<double>& weights, int rank, unsigned drawn, double probability,
                          Sets& sets) {
  if (rank == 0) {
    sets[drawn] += probability;
    return;
  }
  double left = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) left += (drawn >> k & 1U) != 0 ? 0 : weights[k];
  for (std::size_t k = 0; k < weights.size(); ++k)
    if ((drawn >> k & 1U) == 0 && weights[k] > 0)
      add_successive_draws(weights, rank - 1, drawn | 1U << k, probability * weights[k] / left, sets);
}

Sets sampled_sets(Selection scheme, const Norms& norms, std::size_t rank, int draws) {
  const Kokkos::Serial space;
  const SelectionMemory<Kokkos::Serial> memory(norms.size(), rank);
  const auto norms_view = from_list<double, Kokkos::Serial>(norms);
  Sets frequencies;
  for (int step = 0; step < draws; ++step) {
    const Draw draw{11, static_cast<std::uint64_t>(step), 2};
    sample_rows(space, scheme, norms_view, draw, memory.workspace(), memory.selection());
    unsigned set = 0;
    for (std::size_t slot = 0; slot < rank; ++slot) set |= 1U << static_cast<unsigned>(memory.rows(slot));
    frequencies[set] += 1.0 / draws;
  }
  return frequencies;
}

/// Compares the frequency of every set of rows, and so that of every row, with the exact probability.
void draws_successively(Selection scheme, const Norms& norms, const std::vector<double>& weights, std::size_t rank) {
  constexpr int draws = 100000;
  const Sets frequencies = sampled_sets(scheme, norms, rank, draws);
  Sets probabilities;
  add_successive_draws(weights, static_cast<int>(rank), 0, 1.0, probabilities);
  for (const auto& [set, frequency] : frequencies)
    EXPECT_TRUE(probabilities.count(set) == 1) << "impossible set " << set << ", frequency " << frequency;
  for (const auto& [set, probability] : probabilities) {
    const auto found = frequencies.find(set);
    const double error = std::sqrt(probability * (1 - probability) / draws);
    EXPECT_NEAR(found == frequencies.end() ? 0.0 : found->second, probability, 4.5 * error) << "set " << set;
  }
}

TEST(SampleRowsDistribution, IsThatOfDrawingOneAfterTheOther) {
  const Norms norms = {0.5, 2.0, 1.0, 3.0, 0.25};
  const std::vector<double> squares = {0.25, 4.0, 1.0, 9.0, 0.0625};
  const std::vector<double> equal(5, 1.0);
  for (const std::size_t rank : {1, 2, 3}) {
    draws_successively(Selection::norm, norms, norms, rank);
    draws_successively(Selection::norm_squared, norms, squares, rank);
    draws_successively(Selection::uniform, norms, equal, rank);
  }
}

TEST(SampleRowsDistribution, IsUniformWhenAllNormsAreZero) {
  for (const Selection scheme : {Selection::norm, Selection::norm_squared, Selection::uniform})
    draws_successively(scheme, Norms(5, 0.0), std::vector<double>(5, 1.0), 2);
}

TEST(SampleRowsDistribution, PutsZeroRowsLastInRandomOrder) {
  // Rows 1 and 3 are always there; the third is one of the other three.
  for (const Selection scheme : {Selection::norm, Selection::norm_squared}) {
    const Sets frequencies = sampled_sets(scheme, {0.0, 1.0, 0.0, 1e-300, 0.0}, 3, 20000);
    EXPECT_EQ(frequencies.size(), 3U);
    for (const auto& [set, frequency] : frequencies) {
      EXPECT_EQ(set & 0b01010U, 0b01010U);
      EXPECT_NEAR(frequency, 1.0 / 3, 4.5 * std::sqrt(2.0 / 9 / 20000));
    }
  }
}

TYPED_TEST(SampleRows, GivesDistinctAscendingRowsWithScaleOne) {
  for (const Selection scheme : {Selection::norm, Selection::norm_squared, Selection::uniform}) {
    for (const std::size_t rank : {1, 17, 299, 300}) {
      const SelectionMemory<TypeParam> memory(300, rank);
      const auto norms = random_vector<float, TypeParam>(300, 4, 0, 1);
      sample_rows(TypeParam(), scheme, norms, Draw{1, 2, 3}, memory.workspace(), memory.selection());
      const std::vector<int> rows = to_list(memory.rows);
      EXPECT_EQ(std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>()), rows.end());
      EXPECT_GE(rows.front(), 0);
      EXPECT_LT(rows.back(), 300);
      EXPECT_EQ(to_list(memory.scale), std::vector<float>(rank, 1.0F));
    }
  }
}

TYPED_TEST(SampleRows, AlwaysTakesRowsThatAreNotFinite) {
  Norms norms(40, 1.0);
  norms[4] = not_a_number;
  norms[31] = infinity;
  for (const Selection scheme : {Selection::norm, Selection::norm_squared}) {
    for (std::uint64_t step = 0; step < 8; ++step) {
      const std::vector<int> rows = sample<TypeParam>(scheme, norms, 3, Draw{1, step, 0});
      EXPECT_TRUE(std::binary_search(rows.begin(), rows.end(), 4));
      EXPECT_TRUE(std::binary_search(rows.begin(), rows.end(), 31));
    }
  }
}

TYPED_TEST(SampleRows, DoesNotLookAtTheNormsWhenUniform) {
  Norms norms(40, 0.0);
  norms[4] = not_a_number;
  norms[20] = 5.0;
  norms[31] = infinity;
  for (const Selection scheme : {Selection::uniform, Selection::uniform_replacement})
    for (std::uint64_t step = 0; step < 8; ++step)
      EXPECT_EQ(sample<TypeParam>(scheme, norms, 6, Draw{1, step, 0}),
                sample<TypeParam>(scheme, Norms(40, 1.0), 6, Draw{1, step, 0}));
}

TYPED_TEST(SampleRows, GivesTheSameRowsOnEverySpace) {
  const auto norms = to_list(random_vector<double, Kokkos::Serial>(500, 8, 0, 2));
  for (const Selection scheme : {Selection::norm, Selection::norm_squared, Selection::uniform})
    for (std::uint64_t step = 0; step < 5; ++step)
      EXPECT_EQ(sample<TypeParam>(scheme, norms, 60, Draw{9, step, 1}),
                sample<Kokkos::Serial>(scheme, norms, 60, Draw{9, step, 1}));
}

/// The definition of sampling without replacement: the rows with the largest log q + Gumbel noise, by a sort. What is
/// not finite stands before all others, and norm zero behind.
std::vector<int> rows_by_sorted_keys(int power, const Norms& norms, std::size_t rank, const Draw& draw) {
  std::vector<std::pair<int, double>> keys(norms.size());
  for (std::size_t k = 0; k < norms.size(); ++k) {
    const double noise = -std::log(-std::log(uniform_open(draw, k)));
    if (power > 0 && !std::isfinite(norms[k])) {
      keys[k] = {2, 0.0};
    } else if (power > 0 && norms[k] > 0) {
      keys[k] = {1, power * std::log(norms[k]) + noise};
    } else {
      keys[k] = {0, noise};
    }
  }
  std::vector<int> rows(norms.size());
  std::iota(rows.begin(), rows.end(), 0);
  std::stable_sort(rows.begin(), rows.end(),
                   [&](int a, int b) { return keys[static_cast<std::size_t>(a)] > keys[static_cast<std::size_t>(b)]; });
  rows.resize(rank);
  std::sort(rows.begin(), rows.end());
  return rows;
}

TYPED_TEST(SampleRows, TakesTheLargestKeys) {
  // Keys of both signs; two that differ by a rounding of the logarithm would have to meet at the cut.
  for (const std::size_t extent : {1, 40, 2048, 5461}) {
    const auto norms = to_list(random_vector<double, Kokkos::Serial>(extent, 8, 0.1, 2));
    for (const std::size_t rank : {std::size_t(1), extent / 4 + 1, extent}) {
      const Draw draw{extent, 7, 1};
      EXPECT_EQ(sample<TypeParam>(Selection::uniform, norms, rank, draw), rows_by_sorted_keys(0, norms, rank, draw));
      EXPECT_EQ(sample<TypeParam>(Selection::norm, norms, rank, draw), rows_by_sorted_keys(1, norms, rank, draw));
      EXPECT_EQ(sample<TypeParam>(Selection::norm_squared, norms, rank, draw),
                rows_by_sorted_keys(2, norms, rank, draw));
    }
  }
}

TYPED_TEST(SampleRows, TakesTheLargestKeysWhereverTheyAre) {
  constexpr std::array schemes = {Selection::uniform, Selection::norm, Selection::norm_squared};
  for (const std::size_t extent : {1, 7, 2048, 4096, 4097, 22016})
    for (const auto& norms : {norms_of_all_kinds(extent), Norms(extent, 2.5), Norms(extent, 0.0)})
      for (const std::size_t rank :
           {std::size_t(1), extent / 9 + 1, extent / 4 + 1, extent - extent / 8, extent - extent / 16})
        for (std::size_t power = 0; power < schemes.size(); ++power)
          EXPECT_EQ(sample<TypeParam>(schemes[power], norms, rank, Draw{5, extent, 1}),
                    rows_by_sorted_keys(static_cast<int>(power), norms, rank, Draw{5, extent, 1}))
              << extent << ", " << rank << ", " << power;
}

TYPED_TEST(SampleRows, KeepsTheOrderOfKindsAtTheEndsOfTheDoubles) {
  // Quotients of the first rows go to infinity and those of the next to zero, but they stay what they are.
  Norms norms(300, 0.0);
  std::fill_n(norms.begin(), 100, std::numeric_limits<double>::max());
  std::fill_n(norms.begin() + 100, 100, std::numeric_limits<double>::denorm_min());
  norms[299] = not_a_number;
  std::vector<int> expected(201);
  std::iota(expected.begin(), expected.end(), 0);
  expected[200] = 299;
  for (const Selection scheme : {Selection::norm, Selection::norm_squared}) {
    EXPECT_EQ(sample<TypeParam>(scheme, norms, 1, Draw{1, 2, 3}), std::vector<int>{299});
    EXPECT_LT(sample<TypeParam>(scheme, norms, 101, Draw{1, 2, 3})[99], 100);
    EXPECT_EQ(sample<TypeParam>(scheme, norms, 201, Draw{1, 2, 3}), expected);
  }
}

TYPED_TEST(SampleRows, DependsOnSeedStepAndMatrix) {
  const Norms norms(200, 1.0);
  for (const Selection scheme : {Selection::norm, Selection::norm_replacement}) {
    std::set<std::vector<int>> selections;
    for (const Draw& draw : {Draw{1, 1, 1}, Draw{2, 1, 1}, Draw{1, 2, 1}, Draw{1, 1, 2}, Draw{1, 1, 1}})
      selections.insert(sample<TypeParam>(scheme, norms, 20, draw));
    EXPECT_EQ(selections.size(), 4U);  // the first and the last draw are the same
  }
}

TYPED_TEST(SampleRows, RefusesWhatDoesNotFit) {
  const Norms norms(8, 1.0);
  const Draw draw{1, 1, 1};
  EXPECT_THROW(sample<TypeParam>(Selection::top_r, norms, 2, draw), std::invalid_argument);
  for (const Selection scheme : {Selection::norm, Selection::norm_replacement}) {
    EXPECT_THROW(sample<TypeParam>(scheme, norms, 0, draw), std::invalid_argument);
    EXPECT_THROW(sample<TypeParam>(scheme, norms, 9, draw), std::invalid_argument);
    const SelectionMemory<TypeParam> memory(8, 2), other(7, 2);
    const auto shorter = from_list<double, TypeParam>(Norms(7, 1.0));
    const auto fitting = from_list<double, TypeParam>(norms);
    EXPECT_THROW(sample_rows(TypeParam(), scheme, shorter, draw, memory.workspace(), memory.selection()), ExtentError);
    EXPECT_THROW(sample_rows(TypeParam(), scheme, fitting, draw, other.workspace(), memory.selection()), ExtentError);
  }
}

TEST(SamplingSchemes, HaveTheirPowers) {
  EXPECT_EQ(sampling_power(Selection::norm), 1);
  EXPECT_EQ(sampling_power(Selection::norm_replacement), 1);
  EXPECT_EQ(sampling_power(Selection::norm_squared), 2);
  EXPECT_EQ(sampling_power(Selection::norm_squared_replacement), 2);
  EXPECT_EQ(sampling_power(Selection::uniform), 0);
  EXPECT_EQ(sampling_power(Selection::uniform_replacement), 0);
}

}  // namespace
