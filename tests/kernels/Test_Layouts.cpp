#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_KernelChain.hpp"

// Kernels take matrices by rows, by columns and with any strides, and have the same results but for what a compiler
// that vectorizes some of their loops rounds otherwise.

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;

template <class Layout>
class Layouts : public ::testing::Test {};
using OtherLayouts = ::testing::Types<Kokkos::LayoutLeft, Kokkos::LayoutStride>;
TYPED_TEST_SUITE(Layouts, OtherLayouts);

TYPED_TEST(Layouts, GiveTheSameResults) {
  const KernelChain<Space> by_rows(1);
  const KernelChain<Space, TypeParam> other(1);
  by_rows.run(Space());
  other.run(Space());
  const auto expected = by_rows.results();
  const auto actual = other.results();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    // A code is rounded to 3 bits of fraction, and may fall on the other side of a tie.
    const double relative = actual[i].first == "codes" ? 0.125 : 1e-4;
    ASSERT_EQ(actual[i].second.size(), expected[i].second.size()) << actual[i].first;
    for (std::size_t k = 0; k < expected[i].second.size(); ++k)
      EXPECT_NEAR(actual[i].second[k], expected[i].second[k], 1e-5 + relative * std::abs(expected[i].second[k]))
          << actual[i].first << ", element " << k;
  }
  // 180 products of numbers below 1, in the order of one library or another.
  EXPECT_TRUE(all_close(other.product_by_library(), by_rows.product_by_library(), 0, 180 * 180 * 0x1p-24));
}

}  // namespace
}  // namespace Sward::Test
