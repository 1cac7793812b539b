#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

// What matrix_product promises is tested there; here, that sums are taken in double and in a fixed order.

template <class Space>
class SmallMatrixProduct : public ::testing::Test {};
TYPED_TEST_SUITE(SmallMatrixProduct, TestSpaces);

constexpr auto transposes = {Transpose::no, Transpose::yes};

/// op(M) of random numbers, of which neither sums nor products are exact in float.
template <class Space>
Matrix<float, Space> operand(Transpose transpose, std::size_t rows, std::size_t columns, std::uint64_t seed) {
  if (transpose == Transpose::yes) std::swap(rows, columns);
  return random_matrix<float, Space>(rows, columns, seed, 0, 1);
}

template <class Space>
Matrix<float, Space> product(Transpose transpose_a, Transpose transpose_b, std::size_t m, std::size_t n,
                             std::size_t k) {
  const auto a = operand<Space>(transpose_a, m, k, 1);
  const auto b = operand<Space>(transpose_b, k, n, 2);
  const auto c = poisoned_matrix<float, Space>(m, n);
  small_matrix_product(Space(), transpose_a, transpose_b, 0.75, a, b, 0.0, c);
  return c;
}

TYPED_TEST(SmallMatrixProduct, RoundsToFloatOnce) {
  for (const auto& [columns, terms] : {std::pair{1, 2000}, {31, 33}, {32, 32}, {33, 31}, {65, 500}}) {
    const std::size_t m = 5;
    const auto n = static_cast<std::size_t>(columns), k = static_cast<std::size_t>(terms);
    for (const Transpose transpose_a : transposes) {
      for (const Transpose transpose_b : transposes) {
        const auto a = to_host(operand<TypeParam>(transpose_a, m, k, 1));
        const auto b = to_host(operand<TypeParam>(transpose_b, k, n, 2));
        const auto expected = make_matrix<double, Kokkos::HostSpace>(m, n, [&](std::size_t i, std::size_t j) {
          double sum = 0;
          for (std::size_t l = 0; l < k; ++l)
            sum += static_cast<double>(transpose_a == Transpose::yes ? a(l, i) : a(i, l)) *
                   static_cast<double>(transpose_b == Transpose::yes ? b(j, l) : b(l, j));
          return 0.75 * sum;
        });
        // Half a unit of a float in the last place; sums in float of so many positive terms would be off by several.
        EXPECT_TRUE(all_close(product<TypeParam>(transpose_a, transpose_b, m, n, k), expected, 6e-8, 0));
      }
    }
  }
}

template <class Space>
::testing::AssertionResult has_the_bits_of_serial(Transpose transpose_a, Transpose transpose_b) {
  return all_close(product<Space>(transpose_a, transpose_b, 20, 70, 90),
                   product<Kokkos::Serial>(transpose_a, transpose_b, 20, 70, 90), 0, 0);
}

TYPED_TEST(SmallMatrixProduct, HasTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs may join products and sums into one rounding";
  EXPECT_TRUE(has_the_bits_of_serial<TypeParam>(Transpose::no, Transpose::no));
  EXPECT_TRUE(has_the_bits_of_serial<TypeParam>(Transpose::no, Transpose::yes));
  EXPECT_TRUE(has_the_bits_of_serial<TypeParam>(Transpose::yes, Transpose::no));
  EXPECT_TRUE(has_the_bits_of_serial<TypeParam>(Transpose::yes, Transpose::yes));
}

}  // namespace
