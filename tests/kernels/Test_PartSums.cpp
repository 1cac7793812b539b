#include <gtest/gtest.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_PartSums.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class PartSums : public ::testing::Test {};
TYPED_TEST_SUITE(PartSums, TestSpaces);

template <class Scalar, class Space>
void agrees_with_definition(const std::vector<std::size_t>& lengths) {
  VectorParts parts;
  for (const std::size_t length : lengths) parts.add(length);
  ASSERT_EQ(static_cast<std::size_t>(parts.count), lengths.size());
  const auto values = random_vector<Scalar, Space>(parts.extent(), 1, 0, 1);
  const auto partials = poisoned_vector<double, Space>(part_sums_workspace<Space>);
  const auto sums = poisoned_vector<double, Space>(lengths.size());
  part_sums(Space(), values, parts, partials, sums);
  const auto host = to_host(values);
  const auto expected = make_vector<double, Kokkos::HostSpace>(lengths.size(), [&](std::size_t part) {
    double sum = 0.0;
    for (std::size_t i = parts.begin(static_cast<int>(part)); i < parts.ends[part]; ++i)
      sum += static_cast<double>(host(i));
    return sum;
  });
  // Positive terms in double: an error of less than one rounding a term.
  EXPECT_TRUE(all_close(sums, expected, static_cast<double>(parts.extent()) * 0x1p-52, 0));
}

TYPED_TEST(PartSums, AgreeWithDefinition) {
  for (const std::vector<std::size_t>& lengths :
       {std::vector<std::size_t>{1}, {3, 1, 4}, {1000, 24, 5461}, {64 * 256, 8, 100000}, {5, 0, 7}}) {
    agrees_with_definition<float, TypeParam>(lengths);
    agrees_with_definition<double, TypeParam>(lengths);
  }
}

TEST(PartsOfALaunch, AreAsManyAsFitAndFollowEachOther) {
  std::vector<std::size_t> lengths;
  std::size_t all = 0;
  for (std::size_t i = 0; i < 35; ++i) all += lengths.emplace_back(i % 4 == 0 ? 0 : 10 + i);
  std::size_t element = 0, number = 0;
  std::vector<int> counts;
  for_each_launch(lengths, [&](const VectorParts& parts, const auto& elements, const auto& numbers) {
    EXPECT_EQ(elements, std::pair(element, element + parts.extent()));
    EXPECT_EQ(numbers, std::pair(number, number + static_cast<std::size_t>(parts.count)));
    for (int part = 0; part < parts.count; ++part)
      EXPECT_EQ(parts.ends[part] - parts.begin(part), lengths[number + static_cast<std::size_t>(part)]);
    element = elements.second;
    number = numbers.second;
    counts.push_back(parts.count);
  });
  EXPECT_EQ(element, all);
  EXPECT_EQ(counts, (std::vector<int>{16, 16, 3}));
  VectorParts full;
  for (int part = 0; part < VectorParts::most; ++part) full.add(1);
  EXPECT_THROW(full.add(1), std::invalid_argument);
}

TEST(PartSumsOfLongParts, TakeMoreSlices) {
  VectorParts parts;
  parts.add(16383);
  EXPECT_EQ(part_slices<Kokkos::Serial>(parts), 1);
  parts.add(3 * 16384);
  EXPECT_EQ(part_slices<Kokkos::Serial>(parts), 3);
  parts.add(std::size_t{1} << 30);
  EXPECT_EQ(part_slices<Kokkos::Serial>(parts), most_part_slices<Kokkos::Serial>);
}

}  // namespace
