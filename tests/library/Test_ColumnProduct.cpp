#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_ColumnProduct.hpp"
#include "Sward_RandomViews.hpp"

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Product = ColumnProduct<Space, float>;
using Pair = std::pair<std::size_t, std::size_t>;

constexpr std::size_t tokens = 70, width = 24;

/// Gathered columns side by side in one matrix, and their gradients one below the other in another.
struct Neighbours {
  Matrix<float, Space> gathered = random_matrix<float, Space>(tokens, 40, 1);
  Matrix<float, Space> gradient = poisoned_matrix<float, Space>(40, width);
  Matrix<float, Space> other = random_matrix<float, Space>(tokens, width, 2);

  Product product(std::size_t first, std::size_t end, float keep = 0.0F) const {
    return {Side::rows, Kokkos::subview(gathered, Kokkos::ALL, Pair(first, end)),
            Product::Sink::GradientMatrix(gradient.data() + first * width, end - first, width), keep};
  }
};

TEST(ColumnProduct, MultipliesNeighboursAtOnce) {
  const Neighbours all;
  Product joined = all.product(0, 16);
  EXPECT_TRUE(joined.take_in(all.product(16, 21)));
  EXPECT_TRUE(joined.take_in(all.product(21, 40)));
  joined.multiply(Space(), all.other);
  const auto gathered = to_host(all.gathered), other = to_host(all.other);
  const auto expected = make_matrix<float, Kokkos::HostSpace>(40, width, [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t t = 0; t < tokens; ++t) sum += static_cast<double>(gathered(t, i)) * other(t, j);
    return static_cast<float>(sum);
  });
  // Partial sums of products below 1 stay below sqrt(tokens) + 2, and there are tokens + 1 roundings.
  const auto terms = static_cast<double>(tokens);
  EXPECT_TRUE(all_close(all.gradient, expected, 0, 0x1p-24 * (terms + 1) * (std::sqrt(terms) + 2)));
}

TEST(ColumnProduct, LeavesOthersAsTheyAre) {
  const Neighbours all, elsewhere;
  const Product first = all.product(0, 16);
  Product by_columns = all.product(16, 21), of_other_gradient = all.product(16, 21),
          of_other_columns = of_other_gradient;
  by_columns.side = Side::columns;
  of_other_gradient.gradient = elsewhere.product(16, 21).gradient;
  of_other_columns.gathered = elsewhere.product(16, 21).gathered;
  for (const Product& next : std::vector<Product>{all.product(17, 21), all.product(0, 16), all.product(16, 21, 1.0F),
                                                  by_columns, of_other_gradient, of_other_columns}) {
    Product product = first;
    EXPECT_FALSE(product.take_in(next));
    EXPECT_EQ(product.gathered.extent(1), 16U);
    EXPECT_EQ(product.gradient.extent(0), 16U);
  }
}

}  // namespace
}  // namespace Sward::Test
