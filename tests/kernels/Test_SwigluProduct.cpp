#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SwigluProduct.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SwigluProduct : public ::testing::Test {};
TYPED_TEST_SUITE(SwigluProduct, TestSpaces);

template <class Space>
constexpr bool is_cuda() {
#ifdef KOKKOS_ENABLE_CUDA
  return std::is_same_v<Space, Kokkos::Cuda>;
#else
  return false;
#endif
}

std::uint64_t products_by_one_kernel() {
#ifdef KOKKOS_ENABLE_CUDA
  return gated_product_count();
#else
  return 0;
#endif
}

struct Extents {
  std::size_t tokens, hidden, width;
};

template <class View>
auto leading_columns(const View& storage, std::size_t columns) {
  return Kokkos::subview(storage, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, columns));
}

/// Operands in rows `padding` longer than their columns; gates are of the size of 1.
template <class Scalar, class Space>
struct Operands {
  Extents extents;
  std::size_t padding;
  double size = 3 / std::sqrt(static_cast<double>(extents.hidden));
  Matrix<Scalar, Space> input = random(extents.tokens, extents.hidden, 1, 1);
  Matrix<Scalar, Space> weight = random(2 * extents.width, extents.hidden, 2, size);
  Matrix<Scalar, Space> down = random(extents.hidden, extents.width, 3, size);
  Matrix<Scalar, Space> output_gradient = random(extents.tokens, extents.hidden, 4, 1);
  Matrix<Scalar, Space> gate_up = poisoned(extents.tokens, 2 * extents.width);
  Matrix<Scalar, Space> product = poisoned(extents.tokens, extents.width);
  Matrix<Scalar, Space> workspace = poisoned(extents.tokens, extents.width);

  Matrix<Scalar, Space> random(std::size_t rows, std::size_t columns, std::uint64_t seed, double bound) const {
    return random_matrix<Scalar, Space>(rows, columns + padding, seed, -bound, bound);
  }
  Matrix<Scalar, Space> poisoned(std::size_t rows, std::size_t columns) const {
    return poisoned_matrix<Scalar, Space>(rows, columns + padding);
  }
  void forward() const {
    swiglu_product(Space(), leading_columns(input, extents.hidden), leading_columns(weight, extents.hidden),
                   leading_columns(gate_up, 2 * extents.width), leading_columns(product, extents.width));
  }
  void backward() const {
    swiglu_product_backward(Space(), leading_columns(output_gradient, extents.hidden),
                            leading_columns(down, extents.width), leading_columns(workspace, extents.width),
                            leading_columns(gate_up, 2 * extents.width));
  }
};

/// A number and how far a computed one may be from it.
struct Bounded {
  double value = 0, error = 0;
};

template <class Scalar>
constexpr double roundoff = std::is_same_v<Scalar, BFloat16> ? 0x1p-8 : 0x1p-23;

/// Each of the sums rounds once in float, bounded by the sum of absolute values, and so does the result.
template <class Scalar, class Left, class Right>
Bounded dot(std::size_t count, const Left& left, const Right& right) {
  Bounded sum;
  for (std::size_t l = 0; l < count; ++l) {
    const double term = static_cast<double>(left(l)) * static_cast<double>(right(l));
    sum.value += term;
    sum.error += std::abs(term);
  }
  sum.error *= static_cast<double>(count + 2) * 0x1p-24;
  sum.error += roundoff<Scalar> * std::abs(sum.value);
  return sum;
}

/// An element's rounding, and 2^-19 for the exponential and what follows it, where nothing cancels.
template <class Scalar>
bool is_near(double actual, double expected, double magnitude, double error) {
  return std::abs(actual - expected) <= error + roundoff<Scalar> * std::abs(expected) + 0x1p-19 * magnitude;
}

template <class Space>
bool is_by_one_kernel(const Extents& e, std::size_t padding) {
  return is_cuda<Space>() && e.hidden % 8 == 0 && e.width % 8 == 0 && padding % 8 == 0;
}

template <class Host>
std::size_t written_paddings(const Host& storage, std::size_t columns) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < storage.extent(0); ++i)
    for (std::size_t j = columns; j < storage.extent(1); ++j)
      count += std::isnan(static_cast<double>(storage(i, j))) ? 0 : 1;
  return count;
}

template <class Scalar, class Space>
void agrees_with_definition(const Extents& e, std::size_t padding) {
  const Operands<Scalar, Space> x{e, padding};
  const std::uint64_t before = products_by_one_kernel();
  x.forward();
  const auto gate_up = to_host(x.gate_up), product = to_host(x.product);
  x.backward();
  const auto gradient = to_host(x.gate_up), workspace = to_host(x.workspace);
  const bool is_fused = std::is_same_v<Scalar, BFloat16> && is_by_one_kernel<Space>(e, padding);
  EXPECT_EQ(products_by_one_kernel() - before, is_fused ? 2U : 0U);

  const auto input = to_host(x.input), weight = to_host(x.weight), down = to_host(x.down);
  const auto above = to_host(x.output_gradient);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < e.tokens; ++i)
    for (std::size_t j = 0; j < e.width; ++j) {
      const auto sum = [&](std::size_t row) {
        return dot<Scalar>(
            e.hidden, [&](std::size_t l) { return input(i, l); }, [&](std::size_t l) { return weight(row, l); });
      };
      const Bounded of_gate = sum(j), of_up = sum(e.width + j);
      const Bounded d = dot<Scalar>(
          e.hidden, [&](std::size_t l) { return above(i, l); }, [&](std::size_t l) { return down(l, j); });
      // What follows is computed from the stored gate and up, as the backward pass will.
      const double gate = gate_up(i, j), up = gate_up(i, e.width + j);
      const double sigmoid = 1 / (1 + std::exp(-gate));
      const double silu = gate * sigmoid, slope = sigmoid + silu * (1 - sigmoid);
      const double size_of_slope = sigmoid + std::abs(silu);
      const bool is_right =
          std::abs(gate - of_gate.value) <= of_gate.error && std::abs(up - of_up.value) <= of_up.error &&
          is_near<Scalar>(product(i, j), silu * up, std::abs(silu * up), 0) &&
          is_near<Scalar>(gradient(i, j), d.value * up * slope,
                          (std::abs(d.value) + d.error) * std::abs(up) * size_of_slope,
                          d.error * (1 + roundoff<Scalar>)*std::abs(up * slope)) &&
          is_near<Scalar>(gradient(i, e.width + j), d.value * silu, (std::abs(d.value) + d.error) * std::abs(silu),
                          d.error * (1 + roundoff<Scalar>)*std::abs(silu));
      wrong += is_right ? 0 : 1;
    }
  EXPECT_EQ(wrong, 0U) << extents_text({e.tokens, e.hidden, e.width}) << ", padding " << padding;
  EXPECT_EQ(written_paddings(product, e.width) + written_paddings(gradient, 2 * e.width), 0U);
  EXPECT_EQ(written_paddings(workspace, 0), is_fused ? 0U : e.tokens * e.width);
}

TYPED_TEST(SwigluProduct, AgreesWithDefinition) {
  for (const Extents& e :
       {Extents{1, 1, 1}, Extents{1, 64, 64}, Extents{5, 7, 11}, Extents{37, 24, 40}, Extents{200, 136, 328}})
    for (const std::size_t padding : {0, 3, 8}) {
      agrees_with_definition<float, TypeParam>(e, padding);
      agrees_with_definition<BFloat16, TypeParam>(e, padding);
    }
}

/// More tiles than a device has multiprocessors.
TYPED_TEST(SwigluProduct, GoesFromTileToTile) {
  if (is_cuda<TypeParam>()) agrees_with_definition<BFloat16, TypeParam>({2900, 200, 1672}, 8);
}

TYPED_TEST(SwigluProduct, GivesTheSameBitsAgain) {
  const Operands<BFloat16, TypeParam> first{{300, 64, 200}, 0}, second{{300, 64, 200}, 0};
  for (const auto* x : {&first, &second}) {
    x->forward();
    x->backward();
  }
  EXPECT_TRUE(all_close(first.gate_up, second.gate_up, 0, 0));
  EXPECT_TRUE(all_close(first.product, second.product, 0, 0));
}

TYPED_TEST(SwigluProduct, WithoutTokensDoesNothing) {
  const Operands<BFloat16, TypeParam> x{{0, 64, 64}, 0};
  x.forward();
  x.backward();
  Kokkos::fence("SwigluProduct");
}

TYPED_TEST(SwigluProduct, RefusesExtentsThatDoNotFit) {
  const Operands<float, TypeParam> x{{4, 6, 8}, 0};
  const auto other = random_matrix<float, TypeParam>(4, 7, 1);
  const TypeParam space;
  EXPECT_THROW(swiglu_product(space, other, x.weight, x.gate_up, x.product), ExtentError);
  EXPECT_THROW(swiglu_product(space, x.input, x.down, x.gate_up, x.product), ExtentError);
  EXPECT_THROW(swiglu_product(space, x.input, x.weight, x.product, x.product), ExtentError);
  EXPECT_THROW(swiglu_product(space, x.input, x.weight, x.gate_up, other), ExtentError);
  EXPECT_THROW(swiglu_product_backward(space, other, x.down, x.workspace, x.gate_up), ExtentError);
  EXPECT_THROW(swiglu_product_backward(space, x.output_gradient, x.weight, x.workspace, x.gate_up), ExtentError);
  EXPECT_THROW(swiglu_product_backward(space, x.output_gradient, x.down, other, x.gate_up), ExtentError);
}

#ifdef KOKKOS_ENABLE_CUDA
TEST(GatedProduct, SaysWhatItDoesNotServe) {
  const GatedProductShape served{100, 64, 64, 64, 64, 128, 64};
  EXPECT_TRUE(gated_product_serves(served));
  GatedProductShape shape = served;
  shape.tokens = 0;
  EXPECT_FALSE(gated_product_serves(shape));
  shape = served;
  shape.width = 60;
  EXPECT_FALSE(gated_product_serves(shape));
  shape = served;
  shape.weight_stride = 68;
  EXPECT_FALSE(gated_product_serves(shape));
  EXPECT_THROW(gated_product(nullptr, shape, nullptr, nullptr, nullptr, nullptr), std::runtime_error);
  EXPECT_THROW(gated_product_backward(nullptr, shape, nullptr, nullptr, nullptr), std::runtime_error);
}
#endif

}  // namespace
