#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RmsNorm : public ::testing::Test {};
TYPED_TEST_SUITE(RmsNorm, TestSpaces);

constexpr double epsilon = 1e-3;

template <class Scalar, class Space>
struct Norm {
  Matrix<Scalar, Space> input;
  Vector<Scalar, Space> weight;
  Vector<Real<Scalar>, Space> inverse_rms;
  Matrix<Scalar, Space> output;

  Norm(std::size_t rows, std::size_t columns)
      : input(random_matrix<Scalar, Space>(rows, columns, 1, -2, 2)),
        weight(random_vector<Scalar, Space>(columns, 2, 0.5, 1.5)),
        inverse_rms(poisoned_vector<Real<Scalar>, Space>(rows)),
        output(poisoned_matrix<Scalar, Space>(rows, columns)) {}

  void forward() const { rms_norm(Space(), input, weight, epsilon, inverse_rms, output); }
};

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, double tolerance, double output_tolerance) {
  const Norm<Scalar, Space> norm(rows, columns);
  norm.forward();
  const auto x = to_host(norm.input);
  const auto w = to_host(norm.weight);
  const auto inverse = make_vector<double, Kokkos::HostSpace>(rows, [&](std::size_t i) {
    double squares = 0;
    for (std::size_t j = 0; j < columns; ++j) squares += std::pow(static_cast<double>(x(i, j)), 2);
    return 1 / std::sqrt(squares / static_cast<double>(columns) + epsilon);
  });
  const auto expected = make_matrix<double, Kokkos::HostSpace>(rows, columns, [&](std::size_t i, std::size_t j) {
    return static_cast<double>(x(i, j)) * inverse(i) * static_cast<double>(w(j));
  });
  EXPECT_TRUE(all_close(norm.inverse_rms, inverse, tolerance, 0));
  EXPECT_TRUE(all_close(norm.output, expected, output_tolerance, 0)) << rows << ", " << columns;
}

TYPED_TEST(RmsNorm, AgreesWithDefinition) {
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, {3, 7}, {5, 64}, {17, 384}, {9, 1000}, {3, 2048}, {2, 1031}, {2, 5120}, {1, 9000}}) {
    const auto b = static_cast<std::size_t>(rows);
    const auto n = static_cast<std::size_t>(columns);
    agrees_with_definition<double, TypeParam>(b, n, 1e-14, 3e-14);
    agrees_with_definition<float, TypeParam>(b, n, 1.2e-7, 3.6e-7);
    // Positive terms in float: half an ulp for each addition that a term goes through, of which the root halves the
    // sum; at most 256 of them. Then two products in float, and one rounding to 8 bits.
    agrees_with_definition<BFloat16, TypeParam>(b, n, 64 * 0x1p-24, 0x1p-8 + 70 * 0x1p-24);
  }
}

TYPED_TEST(RmsNorm, MayWriteOverItsInput) {
  const Norm<float, TypeParam> apart(4, 100), inside(4, 100);
  apart.forward();
  rms_norm(TypeParam(), inside.input, inside.weight, epsilon, inside.inverse_rms, inside.input);
  EXPECT_TRUE(all_close(inside.input, apart.output, 0, 0));
}

TYPED_TEST(RmsNorm, HoldsRowsInRegisters) {
  constexpr int reach = 8 * vector_lanes<TypeParam>;  // elements of one pack a lane
  for (const std::size_t columns : {std::size_t(8), std::size_t(2 * reach - 8), std::size_t(2 * reach)}) {
    const Norm<BFloat16, TypeParam> passes(11, columns), held(11, columns);
    rms_norm_in_two_passes(TypeParam(), passes.input, passes.weight, epsilon, passes.inverse_rms, passes.output);
    rms_norm_in_registers<8, 2>(TypeParam(), held.input, held.weight, epsilon, held.inverse_rms, held.output);
    // Squares are added in float in another order: half an ulp for each of two roundings a square and an addition.
    EXPECT_TRUE(all_close(held.inverse_rms, passes.inverse_rms, 40 * 0x1p-24, 0)) << columns;
    EXPECT_TRUE(all_close(held.output, passes.output, 0x1p-7, 0)) << columns;  // a tie may go the other way
  }
}

TYPED_TEST(RmsNorm, RefusesExtentsThatDoNotFit) {
  const Norm<float, TypeParam> norm(4, 8);
  const Vector<float, TypeParam> shorter("shorter", 3);
  EXPECT_THROW(rms_norm(TypeParam(), norm.input, shorter, epsilon, norm.inverse_rms, norm.output), ExtentError);
  EXPECT_THROW(rms_norm(TypeParam(), norm.input, norm.weight, epsilon, shorter, norm.output), ExtentError);
}

}  // namespace
