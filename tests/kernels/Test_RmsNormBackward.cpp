#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_CentralDifferences.hpp"
#include "Sward_OwnedSlice.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RmsNorm.hpp"
#include "Sward_RmsNormBackward.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RmsNormBackward : public ::testing::Test {};
TYPED_TEST_SUITE(RmsNormBackward, TestSpaces);

constexpr double epsilon = 1e-3;

/// Operands and results; the gradients hold something to which is added.
template <class Scalar, class Space>
struct Norm {
  Matrix<Scalar, Space> input, above, output, input_gradient;
  Vector<Scalar, Space> weight;
  Vector<Real<Scalar>, Space> inverse_rms, weight_gradient;
  Matrix<Real<Scalar>, Space> partials;
  RmsNormColumns<Space, Scalar> wanted;
  RmsNormAdded added;

  Norm(std::size_t rows, std::size_t columns, std::size_t partial_rows = rms_norm_partial_rows<Space>)
      : input(random_matrix<Scalar, Space>(rows, columns, 1, -2, 2)),
        above(random_matrix<Scalar, Space>(rows, columns, 3)),
        output(poisoned_matrix<Scalar, Space>(rows, columns)),
        input_gradient(random_matrix<Scalar, Space>(rows, columns, 4)),
        weight(random_vector<Scalar, Space>(columns, 2, 0.5, 1.5)),
        inverse_rms(poisoned_vector<Real<Scalar>, Space>(rows)),
        weight_gradient(random_vector<Real<Scalar>, Space>(columns, 5)),
        partials(poisoned_matrix<Real<Scalar>, Space>(partial_rows, columns)) {
    forward();
  }
  void forward() const { rms_norm(Space(), input, weight, epsilon, inverse_rms, output); }
  void backward() const {
    rms_norm_backward(Space(), above, input, weight, inverse_rms, input_gradient, partials, weight_gradient, wanted,
                      added);
  }
};

/// The gradients of a Norm by their formulas in double, from its own inverse_rms; call before it is changed.
template <class Scalar, class Space>
auto expected_gradients(const Norm<Scalar, Space>& norm) {
  const auto x = to_host(norm.input), above = to_host(norm.above), before = to_host(norm.input_gradient);
  const auto w = to_host(norm.weight);
  const auto inverse = to_host(norm.inverse_rms), weight_before = to_host(norm.weight_gradient);
  const auto at = [](const auto& view, std::size_t i, std::size_t j) { return static_cast<double>(view(i, j)); };
  const std::size_t rows = x.extent(0), columns = x.extent(1);
  const auto product = make_vector<double, Kokkos::HostSpace>(rows, [&](std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j < columns; ++j) sum += at(above, i, j) * static_cast<double>(w(j)) * at(x, i, j);
    return sum;
  });
  const auto input_gradient = make_matrix<double, Kokkos::HostSpace>(rows, columns, [&](std::size_t i, std::size_t j) {
    const double r = inverse(i);
    return at(before, i, j) + r * static_cast<double>(w(j)) * at(above, i, j) -
           r * r * r * product(i) / static_cast<double>(columns) * at(x, i, j);
  });
  const auto weight_gradient = make_vector<double, Kokkos::HostSpace>(columns, [&](std::size_t j) {
    double sum = weight_before(j);
    for (std::size_t i = 0; i < rows; ++i) sum += at(above, i, j) * at(x, i, j) * static_cast<double>(inverse(i));
    return sum;
  });
  return std::pair(input_gradient, weight_gradient);
}

// Terms of the input's gradient are below 2 and their sum below 4. Of the weight's gradient terms are below 2 and lie
// around zero: where they are added in float, a rounding of up to the largest partial sum for each.
struct Tolerance {
  double input_relative, input_absolute, weight_absolute;
};
constexpr Tolerance tolerance_double{0, 1e-14, 1e-12};
constexpr Tolerance tolerance_float{0, 2e-6, 1e-5};
constexpr Tolerance tolerance_bfloat{0x1p-8, 4e-6, 1e-5};  // and one rounding to 8 bits

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns, const Tolerance& tolerance) {
  const Norm<Scalar, Space> norm(rows, columns);
  const auto [by_input, by_weight] = expected_gradients(norm);
  norm.backward();
  EXPECT_TRUE(all_close(norm.input_gradient, by_input, tolerance.input_relative, tolerance.input_absolute))
      << rows << ", " << columns;
  EXPECT_TRUE(all_close(norm.weight_gradient, by_weight, 2e-7, tolerance.weight_absolute)) << rows << ", " << columns;
}

TYPED_TEST(RmsNormBackward, AgreesWithDefinition) {
  // Where there is a kernel of one pass: rows of one warp to eight, of one, two and four packs a thread, and too long.
  for (const auto& [m, n] : {std::pair{1, 1},
                             {6, 5},
                             {300, 64},
                             {77, 384},
                             {1100, 512},
                             {3, 1000},
                             {600, 1024},
                             {265, 2048},
                             {40, 4096},
                             {30, 8192},
                             {5, 9000}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    agrees_with_definition<double, TypeParam>(rows, columns, tolerance_double);
    agrees_with_definition<float, TypeParam>(rows, columns, tolerance_float);
    agrees_with_definition<BFloat16, TypeParam>(rows, columns, tolerance_bfloat);
  }
}

/// Slices hold the bits of the whole results, and change none of these.
template <class Scalar, class Space>
void writes_wanted_columns(std::size_t rows, std::size_t columns) {
  const Norm<Scalar, Space> plain(rows, columns);
  Norm<Scalar, Space> all(rows, columns), one(rows, columns);
  const OwnedSlice<Scalar, Space> gradient(rows, columns, 2), first(rows, columns, 1), second(rows, columns, 3);
  const OwnedSlice<Scalar, Space> alone(rows, columns, 3);
  all.wanted = {gradient.slice(), {first.slice(), second.slice()}};
  one.wanted.normed[1] = alone.slice();
  plain.backward();
  all.backward();
  one.backward();
  EXPECT_TRUE(all_close(all.input_gradient, plain.input_gradient, 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(all.weight_gradient, plain.weight_gradient, 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(gradient.values, gradient.expected(plain.input_gradient), 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(first.values, first.expected(plain.output), 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(second.values, second.expected(plain.output), 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(alone.values, alone.expected(plain.output), 0, 0)) << rows << ", " << columns;
}

TYPED_TEST(RmsNormBackward, WritesWantedColumnsWithTheBitsOfTheWhole) {
  // With slices that are whole groups of values (of a third of 384, 1536, 6144 columns), and that are not.
  for (const auto& [m, n] :
       {std::pair{1, 1}, {6, 5}, {301, 64}, {77, 384}, {530, 1536}, {533, 2048}, {40, 4096}, {9, 6144}, {5, 9000}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    writes_wanted_columns<double, TypeParam>(rows, columns);
    writes_wanted_columns<float, TypeParam>(rows, columns);
    writes_wanted_columns<BFloat16, TypeParam>(rows, columns);
  }
}

/// Whatever is overwritten does not matter, and the bits are those of a sum with zeros.
template <class Scalar, class Space>
void overwrites(std::size_t rows, std::size_t columns) {
  Norm<Scalar, Space> over(rows, columns), zeros(rows, columns);
  const OwnedSlice<Scalar, Space> slice(rows, columns, 2);
  over.input_gradient = poisoned_matrix<Scalar, Space>(rows, columns);
  over.weight_gradient = poisoned_vector<Real<Scalar>, Space>(columns);
  over.added = {false, false};
  over.wanted.input_gradient = slice.slice();
  zeros.input_gradient = Matrix<Scalar, Space>("zeros", rows, columns);
  zeros.weight_gradient = Vector<Real<Scalar>, Space>("zeros", columns);
  over.backward();
  zeros.backward();
  EXPECT_TRUE(all_close(over.input_gradient, zeros.input_gradient, 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(over.weight_gradient, zeros.weight_gradient, 0, 0)) << rows << ", " << columns;
  EXPECT_TRUE(all_close(slice.values, slice.expected(zeros.input_gradient), 0, 0)) << rows << ", " << columns;
}

TYPED_TEST(RmsNormBackward, OverwritesWhatIsNotAddedTo) {
  for (const auto& [m, n] : {std::pair{1, 1}, {301, 64}, {533, 2048}, {5, 9000}}) {
    const auto rows = static_cast<std::size_t>(m);
    const auto columns = static_cast<std::size_t>(n);
    overwrites<double, TypeParam>(rows, columns);
    overwrites<float, TypeParam>(rows, columns);
    overwrites<BFloat16, TypeParam>(rows, columns);
  }
}

TYPED_TEST(RmsNormBackward, IsTheGradient) {
  for (const std::size_t columns : {5, 64}) {
    const Norm<double, TypeParam> norm(6, columns);
    const auto before = to_host(norm.input_gradient);
    const auto weight_before = to_host(norm.weight_gradient);
    norm.backward();
    const auto loss = [&] {
      norm.forward();
      return weighted_sum(norm.output, norm.above);
    };
    const auto by_input = central_differences(norm.input, loss);
    const auto by_weight = central_differences(norm.weight, loss);
    for (std::size_t i = 0; i < by_input.size(); ++i) by_input.data()[i] += before.data()[i];
    for (std::size_t i = 0; i < by_weight.size(); ++i) by_weight.data()[i] += weight_before.data()[i];
    EXPECT_TRUE(all_close(norm.input_gradient, by_input, 1e-7, 1e-7));
    EXPECT_TRUE(all_close(norm.weight_gradient, by_weight, 1e-7, 1e-7));
  }
}

TYPED_TEST(RmsNormBackward, HasTheSameBitsOnAllHosts) {
  if (!runs_on_host<TypeParam>) GTEST_SKIP() << "GPUs add in another, also fixed, order";
  const Norm<float, TypeParam> norm(1000, 100);
  const Norm<float, Kokkos::Serial> serial(1000, 100);
  norm.backward();
  serial.backward();
  EXPECT_TRUE(all_close(norm.input_gradient, serial.input_gradient, 0, 0));
  EXPECT_TRUE(all_close(norm.weight_gradient, serial.weight_gradient, 0, 0));
}

TYPED_TEST(RmsNormBackward, HasTheSameBitsEveryTime) {
  const Norm<BFloat16, TypeParam> first(3000, 512);
  first.backward();
  for (int repetition = 0; repetition < 3; ++repetition) {
    const Norm<BFloat16, TypeParam> again(3000, 512);
    again.backward();
    EXPECT_TRUE(all_close(again.input_gradient, first.input_gradient, 0, 0));
    EXPECT_TRUE(all_close(again.weight_gradient, first.weight_gradient, 0, 0));
  }
}

TYPED_TEST(RmsNormBackward, RefusesExtentsThatDoNotFit) {
  const Norm<float, TypeParam> norm(4, 8);
  const Vector<float, TypeParam> shorter("shorter", 3);
  const Matrix<float, TypeParam> other("other", rms_norm_partial_rows<TypeParam> + 1, 8);
  EXPECT_THROW(rms_norm_backward(TypeParam(), norm.above, norm.input, norm.weight, norm.inverse_rms,
                                 norm.input_gradient, norm.partials, shorter),
               ExtentError);
  EXPECT_THROW(rms_norm_backward(TypeParam(), norm.above, norm.input, norm.weight, norm.inverse_rms,
                                 norm.input_gradient, other, norm.weight_gradient),
               ExtentError);
  const OwnedSlice<float, TypeParam> slice(3, 8, 2);
  const auto refuses = [&](const RmsNormColumns<TypeParam, float>& wanted) {
    EXPECT_THROW(rms_norm_backward(TypeParam(), norm.above, norm.input, norm.weight, norm.inverse_rms,
                                   norm.input_gradient, norm.partials, norm.weight_gradient, wanted),
                 ExtentError);
  };
  refuses({slice.slice(), {}});
  refuses({{}, {slice.slice(), {}}});
  refuses({{}, {{}, slice.slice()}});
}

}  // namespace
