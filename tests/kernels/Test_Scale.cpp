#include <gtest/gtest.h>

#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_Scale.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Scale : public ::testing::Test {};
TYPED_TEST_SUITE(Scale, TestSpaces);

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, double factor, double tolerance) {
  const auto matrix = random_matrix<Scalar, Space>(rows, columns, 1);
  const auto before = to_host(matrix);
  scale(Space(), matrix, static_cast<Real<Scalar>>(factor));
  const auto expected = make_matrix<double, Kokkos::HostSpace>(
      rows, columns, [&](std::size_t i, std::size_t j) { return factor * static_cast<double>(before(i, j)); });
  EXPECT_TRUE(all_close(matrix, expected, tolerance, 0)) << rows << ", " << columns;
}

TYPED_TEST(Scale, AgreesWithDefinition) {
  for (const auto& [m, n] : {std::pair{1, 1}, {1, 2000}, {300, 1}, {17, 33}, {9, 64}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    agrees_with_definition<double, TypeParam>(rows, columns, 0.3, 0);
    agrees_with_definition<float, TypeParam>(rows, columns, -0.75, 6e-8);  // one rounding
    agrees_with_definition<float, TypeParam>(rows, columns, 0, 0);
    agrees_with_definition<BFloat16, TypeParam>(rows, columns, -0.75, 0x1p-8);  // one rounding
  }
}

TYPED_TEST(Scale, StaysInsideARange) {
  const auto matrix = random_matrix<float, TypeParam>(6, 40, 1);
  const auto expected = to_host(matrix);
  for (std::size_t i = 2; i < 4; ++i)
    for (std::size_t j = 3; j < 37; ++j) expected(i, j) *= j < 4 || j == 36 ? 2.0F : 6.0F;
  scale(TypeParam(), Kokkos::subview(matrix, std::pair(2, 4), std::pair(3, 37)), 2.0F);
  scale_packs<4>(TypeParam(), Kokkos::subview(matrix, std::pair(2, 4), std::pair(4, 36)), 3.0F);
  EXPECT_TRUE(all_close(matrix, expected, 0, 0));
}

}  // namespace
