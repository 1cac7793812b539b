#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "Sward_GatheredFactors.hpp"

namespace Sward {
namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Factors = GatheredFactors<Space, float>;
constexpr std::size_t most = GradientSink<Space, float>::most_slices;

TEST(GatheredFactors, HandsOutEachBlockOnceSideBySide) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Factors planned(plan, 6, 5);
  EXPECT_EQ(plan.blocks().size(), 1U);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes());
  Factors factors(arena, 6, 5);
  std::vector<Factors::Matrix> taken;
  std::set<const float*> blocks;
  for (std::size_t i = 0; i < most; ++i) {
    taken.push_back(factors.take(6 - i, 5 - i));
    EXPECT_EQ(taken[i].extent(0), 6 - i);
    EXPECT_EQ(taken[i].extent(1), 5 - i);
    EXPECT_EQ(taken[i].data(), taken[0].data() + 5 * i);
    EXPECT_EQ(taken[i].stride(0), 5 * most);
    blocks.insert(taken[i].data());
  }
  EXPECT_EQ(blocks.size(), most);
  EXPECT_THROW(factors.take(1, 1), std::logic_error);
  factors.give_back(taken[1]);
  EXPECT_EQ(factors.take(6, 5).data(), taken[1].data());
  EXPECT_THROW(factors.take(1, 1), std::logic_error);
  factors.give_back_all();
  for (std::size_t i = 0; i < most; ++i) EXPECT_EQ(blocks.count(factors.take(6, 5).data()), 1U);
}

}  // namespace
}  // namespace Sward
