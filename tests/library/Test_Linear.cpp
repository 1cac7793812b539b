#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_Linear.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_RandomViews.hpp"

// Linear layers in 8 bits against products in double of what they were given, and those that stay in bfloat16.

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;
using Operand = Matrix<BFloat16, Space>;
using Host = Matrix<double, Kokkos::HostSpace>;

/// A layer in 8 bits with memory of its own, which keeps the codes of its weight or makes them again.
struct Float8Layer {
  Float8Layer(const Operand& weight, std::size_t tokens, bool keeps_codes = true)
      : scale("scale", weight.extent(0)),
        factor("factor", tokens * std::max(weight.extent(0), weight.extent(1))),
        factor_scale("factor scale", tokens),
        codes(poisoned_vector<Float8, Space>(keeps_codes ? 0 : weight.size())),
        transpose(poisoned_vector<Float8, Space>(weight.size())),
        kept(poisoned_vector<Float8, Space>(keeps_codes ? weight.size() : 0)),
        ones(make_vector<float, Space>(weight.extent(1), [](std::size_t) { return 1.0; })),
        linear(weight, scale, kept, {factor, factor_scale, codes, transpose, ones}) {}

  Vector<float, Space> scale;
  Vector<Float8, Space> factor;
  Vector<float, Space> factor_scale;
  Vector<Float8, Space> codes;
  Vector<Float8, Space> transpose;
  Vector<Float8, Space> kept;
  Vector<float, Space> ones;
  Linear<Space, BFloat16> linear;
};

/// Rows, or columns, of different magnitudes.
Operand uneven(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  UniformNumbers next(seed, -1, 1);
  return make_matrix<BFloat16, Space>(rows, columns, [&](std::size_t i, std::size_t j) {
    return next() * std::exp2(static_cast<double>(i % 7) - static_cast<double>(j % 3));
  });
}

/// The most that a number of a row errs by in 8 bits: half a place of 3 bits behind the leading one, and of the even
/// spacings below 2^-6 of a scale that is less than the largest number over 224.
template <class View>
double rounding_of(const View& x, std::size_t row, std::size_t column) {
  double largest = 0;
  for (std::size_t j = 0; j < x.extent(1); ++j) largest = std::max(largest, std::abs(static_cast<double>(x(row, j))));
  return std::max(std::abs(static_cast<double>(x(row, column))) / 16, 0x1p-10 * largest / 224);
}

/// Products of a rounded a with a rounded b differ so much at most; the result is rounded to 8 bits, and a device adds
/// in 13 bits and more.
struct Bound {
  double exact = 0;
  double error = 0;
  double magnitude = 0;

  void add(double a, double a_error, double b, double b_error) {
    exact += a * b;
    magnitude += std::abs(a * b);
    error += std::abs(a) * b_error + a_error * std::abs(b) + a_error * b_error;
  }
  double tolerance() const { return error + 0x1p-8 * (magnitude + error); }
};

template <class Result, class Reference>
void expect_within(const Result& result, const Reference& reference) {
  const auto host = to_host(result);
  double worst = 0;
  for (std::size_t i = 0; i < host.extent(0); ++i)
    for (std::size_t j = 0; j < host.extent(1); ++j) {
      const Bound bound = reference(i, j);
      const double excess = std::abs(static_cast<double>(host(i, j)) - bound.exact) / bound.tolerance();
      if (!(excess <= worst)) worst = excess;
    }
  EXPECT_LE(worst, 1.0);
  // Rounding that is not there would leave an error of 2^-9.
  EXPECT_GT(worst, 0.05);
}

struct Sizes {
  std::size_t tokens, outputs, inputs;
};

class LinearInFloat8 : public ::testing::TestWithParam<Sizes> {};

TEST_P(LinearInFloat8, MultipliesForward) {
  const auto [tokens, outputs, inputs] = GetParam();
  const Operand weight = uneven(outputs, inputs, 1), input = uneven(tokens, inputs, 2);
  const Operand residual = random_matrix<BFloat16, Space>(tokens, outputs, 3);
  const Operand output = poisoned_matrix<BFloat16, Space>(tokens, outputs), sum = output;
  const Operand with_residual = poisoned_matrix<BFloat16, Space>(tokens, outputs);
  const Float8Layer layer(weight, tokens);
  layer.linear.forward(Space(), input, output);
  layer.linear.forward(Space(), residual, input, with_residual);
  const auto x = to_host(input), w = to_host(weight), r = to_host(residual);
  const auto product = [&](std::size_t t, std::size_t o) {
    Bound bound;
    for (std::size_t i = 0; i < inputs; ++i)
      bound.add(static_cast<double>(x(t, i)), rounding_of(x, t, i), static_cast<double>(w(o, i)), rounding_of(w, o, i));
    return bound;
  };
  expect_within(output, product);
  expect_within(with_residual, [&](std::size_t t, std::size_t o) {
    Bound bound = product(t, o);
    bound.add(static_cast<double>(r(t, o)), 0, 1, 0);
    return bound;
  });
}

TEST_P(LinearInFloat8, MultipliesBackward) {
  const auto [tokens, outputs, inputs] = GetParam();
  const Operand weight = uneven(outputs, inputs, 1), gradient = uneven(tokens, outputs, 2);
  const Operand ignored = poisoned_matrix<BFloat16, Space>(tokens, outputs);
  const Operand result = poisoned_matrix<BFloat16, Space>(tokens, inputs);
  const Float8Layer layer(weight, tokens);
  layer.linear.forward(Space(), uneven(tokens, inputs, 3), ignored);
  layer.linear.input_gradient(Space(), gradient, result);
  const auto dy = to_host(gradient), w = to_host(weight);
  const auto scale = to_host(layer.scale);
  // The scales of the weight's rows are in the gradient when it is rounded, and out of the weight.
  const auto scaled = make_matrix<double, Kokkos::HostSpace>(tokens, outputs, [&](std::size_t t, std::size_t o) {
    return static_cast<double>(dy(t, o)) * static_cast<double>(scale(o));
  });
  expect_within(result, [&](std::size_t t, std::size_t i) {
    Bound bound;
    for (std::size_t o = 0; o < outputs; ++o) {
      const auto s = static_cast<double>(scale(o));
      bound.add(scaled(t, o), rounding_of(scaled, t, o), static_cast<double>(w(o, i)) / s, rounding_of(w, o, i) / s);
    }
    return bound;
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, LinearInFloat8,
                         ::testing::Values(Sizes{1, 16, 16}, Sizes{5, 48, 32}, Sizes{19, 64, 144}));

TEST(Linear, OfOtherExtentsStaysInBFloat16) {
  for (const auto& [outputs, inputs] : {std::pair{24, 32}, {32, 40}}) {
    const std::size_t tokens = 3;
    const Operand weight = uneven(static_cast<std::size_t>(outputs), static_cast<std::size_t>(inputs), 1);
    const Operand input = uneven(tokens, weight.extent(1), 2), gradient = uneven(tokens, weight.extent(0), 3);
    const Float8Layer layer(weight, tokens);
    const Linear<Space, BFloat16> plain(weight);
    const auto output = poisoned_matrix<BFloat16, Space>(tokens, weight.extent(0));
    const auto back = poisoned_matrix<BFloat16, Space>(tokens, weight.extent(1));
    const auto wanted = poisoned_matrix<BFloat16, Space>(tokens, weight.extent(0));
    const auto wanted_back = poisoned_matrix<BFloat16, Space>(tokens, weight.extent(1));
    layer.linear.forward(Space(), input, output);
    layer.linear.input_gradient(Space(), gradient, back);
    matrix_product(Space(), Transpose::no, Transpose::yes, 1, input, weight, 0, wanted);
    matrix_product(Space(), Transpose::no, Transpose::no, 1, gradient, weight, 0, wanted_back);
    EXPECT_TRUE(all_close(output, wanted, 0, 0));
    EXPECT_TRUE(all_close(back, wanted_back, 0, 0));
  }
}

// What other layers leave in the workspace between the two passes must not matter.
TEST(Linear, GivesTheSameGradientWhetherItKeepsItsCodes) {
  const std::size_t tokens = 19, outputs = 64, inputs = 144;
  const Operand weight = uneven(outputs, inputs, 1), gradient = uneven(tokens, outputs, 2);
  const Operand ignored = poisoned_matrix<BFloat16, Space>(tokens, outputs);
  const auto gradient_of = [&](const Float8Layer& layer) {
    const Operand result = poisoned_matrix<BFloat16, Space>(tokens, inputs);
    layer.linear.forward(Space(), uneven(tokens, inputs, 3), ignored);
    Kokkos::deep_copy(layer.codes, Float8(1.0F));
    Kokkos::deep_copy(layer.transpose, Float8(1.0F));
    layer.linear.input_gradient(Space(), gradient, result);
    return result;
  };
  EXPECT_TRUE(all_close(gradient_of({weight, tokens, true}), gradient_of({weight, tokens, false}), 0, 0));
}

TEST(Linear, RefusesWhatTheWorkspaceHasNoRoomFor) {
  const Operand weight = uneven(32, 48, 1);
  const Float8Layer layer(weight, 2);
  const Operand output = poisoned_matrix<BFloat16, Space>(3, 32);
  EXPECT_THROW(layer.linear.forward(Space(), uneven(3, 48, 2), output), std::invalid_argument);
}

TEST(Linear, OfFloatsIsNotIn8Bits) {
  const Matrix<float, Space> weight("weight", 16, 16);
  const Vector<float, Space> scale("scale", 16);
  EXPECT_THROW((Linear<Space, float>(weight, scale, {}, {})), std::invalid_argument);
}

}  // namespace
}  // namespace Sward::Test
