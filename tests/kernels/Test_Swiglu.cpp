#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_CentralDifferences.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_Swiglu.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Swiglu : public ::testing::Test {};
TYPED_TEST_SUITE(Swiglu, TestSpaces);

template <class Scalar, class Space>
struct Gated {
  Matrix<Scalar, Space> gate, up, output, above;
  Gated(std::size_t rows, std::size_t columns)
      : gate(random_matrix<Scalar, Space>(rows, columns, 1, -8, 8)),
        up(random_matrix<Scalar, Space>(rows, columns, 2, -2, 2)),
        output(poisoned_matrix<Scalar, Space>(rows, columns)),
        above(random_matrix<Scalar, Space>(rows, columns, 3)) {}
};

double silu(double x) { return x / (1 + std::exp(-x)); }

double silu_slope(double x) {
  const double sigmoid = 1 / (1 + std::exp(-x));
  return sigmoid * (1 + x * (1 - sigmoid));
}

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, double tolerance, double absolute) {
  const Gated<Scalar, Space> g(rows, columns);
  const auto gate_gradient = poisoned_matrix<Scalar, Space>(rows, columns);
  const auto up_gradient = poisoned_matrix<Scalar, Space>(rows, columns);
  swiglu(Space(), g.gate, g.up, g.output);
  swiglu_backward(Space(), g.gate, g.up, g.above, gate_gradient, up_gradient);
  const auto gate = to_host(g.gate);
  const auto up = to_host(g.up);
  const auto above = to_host(g.above);
  const auto expect = [&](const auto& actual, const auto& value) {
    EXPECT_TRUE(all_close(actual, make_matrix<double, Kokkos::HostSpace>(rows, columns, value), tolerance, absolute));
  };
  const auto at = [](const auto& view, std::size_t i, std::size_t j) { return static_cast<double>(view(i, j)); };
  expect(g.output, [&](std::size_t i, std::size_t j) { return silu(at(gate, i, j)) * at(up, i, j); });
  expect(gate_gradient,
         [&](std::size_t i, std::size_t j) { return at(above, i, j) * at(up, i, j) * silu_slope(at(gate, i, j)); });
  expect(up_gradient, [&](std::size_t i, std::size_t j) { return at(above, i, j) * silu(at(gate, i, j)); });
}

TYPED_TEST(Swiglu, AgreesWithDefinition) {
  for (const std::size_t columns : {1, 11, 171, 1024}) {
    agrees_with_definition<double, TypeParam>(5, columns, 1e-14, 1e-14);
    agrees_with_definition<float, TypeParam>(5, columns, 1e-6, 1e-6);
    // In float with an exponential of 2^-22 + 8 * 2^-24, and one rounding to 8 bits.
    agrees_with_definition<BFloat16, TypeParam>(5, columns, 0x1p-8 + 2e-6, 4e-6);
  }
}

TYPED_TEST(Swiglu, BackwardIsTheGradient) {
  const Gated<double, TypeParam> g(4, 13);
  const auto gate_gradient = poisoned_matrix<double, TypeParam>(4, 13);
  const auto up_gradient = poisoned_matrix<double, TypeParam>(4, 13);
  swiglu_backward(TypeParam(), g.gate, g.up, g.above, gate_gradient, up_gradient);
  const auto loss = [&] {
    swiglu(TypeParam(), g.gate, g.up, g.output);
    return weighted_sum(g.output, g.above);
  };
  EXPECT_TRUE(all_close(gate_gradient, central_differences(g.gate, loss), 1e-7, 1e-7));
  EXPECT_TRUE(all_close(up_gradient, central_differences(g.up, loss), 1e-7, 1e-7));
}

TYPED_TEST(Swiglu, GradientsMayTakeThePlaceOfGateAndUp) {
  const Gated<float, TypeParam> g(6, 300);
  const auto gate_gradient = poisoned_matrix<float, TypeParam>(6, 300);
  const auto up_gradient = poisoned_matrix<float, TypeParam>(6, 300);
  swiglu_backward(TypeParam(), g.gate, g.up, g.above, gate_gradient, up_gradient);
  swiglu_backward(TypeParam(), g.gate, g.up, g.above, g.gate, g.up);
  EXPECT_TRUE(all_close(g.gate, gate_gradient, 0, 0));
  EXPECT_TRUE(all_close(g.up, up_gradient, 0, 0));
}

TYPED_TEST(Swiglu, TakesPacks) {
  const Gated<BFloat16, TypeParam> g(6, 304);
  const auto output = poisoned_matrix<BFloat16, TypeParam>(6, 304);
  const auto gate_gradient = poisoned_matrix<BFloat16, TypeParam>(6, 304);
  const auto up_gradient = poisoned_matrix<BFloat16, TypeParam>(6, 304);
  swiglu(TypeParam(), g.gate, g.up, g.output);
  swiglu_packs<8>(TypeParam(), g.gate, g.up, output);
  swiglu_backward(TypeParam(), g.gate, g.up, g.above, gate_gradient, up_gradient);
  swiglu_backward_packs<8>(TypeParam(), g.gate, g.up, g.above, g.gate, g.up);
  // Compilers may fuse a product and a sum here and not there: a tie may then go the other way.
  EXPECT_TRUE(all_close(output, g.output, 0x1p-7, 0));
  EXPECT_TRUE(all_close(g.gate, gate_gradient, 0x1p-7, 1e-6));
  EXPECT_TRUE(all_close(g.up, up_gradient, 0x1p-7, 0));
}

/// Gate and up side by side in one matrix, their gradients in their place.
TYPED_TEST(Swiglu, TakesRangesOfColumns) {
  const Gated<BFloat16, TypeParam> apart(5, 64);
  const auto gate = to_host(apart.gate), up = to_host(apart.up);
  const auto packed = make_matrix<BFloat16, TypeParam>(
      5, 128, [&](std::size_t i, std::size_t j) { return j < 64 ? gate(i, j) : up(i, j - 64); });
  const auto columns = [&](std::size_t first) {
    return Kokkos::subview(packed, Kokkos::ALL, std::pair<std::size_t, std::size_t>(first, first + 64));
  };
  swiglu_backward(TypeParam(), columns(0), columns(64), apart.above, columns(0), columns(64));
  swiglu_backward(TypeParam(), apart.gate, apart.up, apart.above, apart.gate, apart.up);
  EXPECT_TRUE(all_close(columns(0), apart.gate, 0, 0));
  EXPECT_TRUE(all_close(columns(64), apart.up, 0, 0));
}

TYPED_TEST(Swiglu, LargeGatesStayFinite) {
  const auto gate = make_matrix<float, TypeParam>(1, 4, [](auto, std::size_t j) {
    const double values[] = {-1e4, -100, 100, 1e4};
    return values[j];
  });
  const auto up = make_matrix<float, TypeParam>(1, 4, [](auto, auto) { return 1; });
  const auto output = poisoned_matrix<float, TypeParam>(1, 4);
  swiglu(TypeParam(), gate, up, output);
  const auto expected = make_matrix<double, Kokkos::HostSpace>(1, 4, [](auto, std::size_t j) {
    const double values[] = {0, 0, 100, 1e4};
    return values[j];
  });
  EXPECT_TRUE(all_close(output, expected, 0, 1e-30));
  swiglu_backward(TypeParam(), gate, up, up, gate, output);
  const auto slopes = make_matrix<double, Kokkos::HostSpace>(1, 4, [](auto, std::size_t j) { return j < 2 ? 0 : 1; });
  EXPECT_TRUE(all_close(gate, slopes, 0, 1e-30));
  EXPECT_TRUE(all_close(output, expected, 0, 1e-30));
}

TYPED_TEST(Swiglu, RefusesExtentsThatDoNotFit) {
  const Gated<float, TypeParam> g(4, 8);
  const Matrix<float, TypeParam> other("other", 4, 7);
  EXPECT_THROW(swiglu(TypeParam(), g.gate, other, g.output), ExtentError);
  EXPECT_THROW(swiglu(TypeParam(), g.gate, g.up, other), ExtentError);
  EXPECT_THROW(swiglu_backward(TypeParam(), g.gate, g.up, g.above, other, g.up), ExtentError);
}

}  // namespace
