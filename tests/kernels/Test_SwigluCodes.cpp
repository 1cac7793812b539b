#include <gtest/gtest.h>

#include <cmath>
#include <utility>

#include "Sward_QuantizedViews.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SwigluCodes.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class SwigluCodes : public ::testing::Test {};
TYPED_TEST_SUITE(SwigluCodes, TestSpaces);

constexpr std::size_t rows = 5;

/// Rows of different sizes, the second of zeros.
template <class Space>
Matrix<BFloat16, Space> uneven_rows(std::size_t columns, std::uint64_t seed) {
  UniformNumbers next(seed, -3, 3);
  return make_matrix<BFloat16, Space>(rows, columns, [&](std::size_t i, std::size_t) {
    return i == 1 ? 0.0 : next() * std::exp2(-3.0 * static_cast<double>(i));
  });
}

/// Compilers may fuse a product and a sum in one kernel and not in the other: steps of bfloat16.
template <class View>
void expect_near(const View& got, const View& wanted) {
  const auto x = to_host(got), y = to_host(wanted);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < x.extent(0); ++i)
    for (std::size_t j = 0; j < x.extent(1); ++j) {
      const double a = static_cast<float>(x(i, j)), b = static_cast<float>(y(i, j));
      wrong += std::abs(a - b) <= 0x1p-7 * std::abs(b) ? 0 : 1;
    }
  EXPECT_EQ(wrong, 0U) << x.extent(0) << " x " << x.extent(1);
}

template <class View>
auto columns_of(const View& packed, std::size_t first, std::size_t count) {
  return Kokkos::subview(packed, Kokkos::ALL, std::pair(first, first + count));
}

/// Gate and up side by side, as linears leave them.
template <class Space, class Kernel>
void expect_both_in_one(std::size_t width, const Kernel& kernel) {
  const auto packed = uneven_rows<Space>(2 * width, 1);
  const auto gate = columns_of(packed, 0, width), up = columns_of(packed, width, width);
  const auto wanted = poisoned_matrix<BFloat16, Space>(rows, width),
             output = poisoned_matrix<BFloat16, Space>(rows, width);
  const auto wanted_codes = poisoned_quantized<Space>(rows, width), codes = poisoned_quantized<Space>(rows, width);
  swiglu(Space(), gate, up, wanted);
  kernel(gate, up, output, codes);
  expect_near(output, wanted);
  quantize_rows(Space(), output, wanted_codes);
  expect_same_codes(codes, wanted_codes);
}

template <class Space, class Kernel>
void expect_both_backward_in_one(std::size_t width, const Kernel& kernel) {
  const auto above = uneven_rows<Space>(width, 3);
  const auto packed = uneven_rows<Space>(2 * width, 4), wanted = uneven_rows<Space>(2 * width, 4);
  const auto factors =
      make_vector<float, Space>(2 * width, [](std::size_t j) { return std::exp2(static_cast<double>(j % 7) - 5); });
  const auto wanted_codes = poisoned_quantized<Space>(rows, 2 * width),
             codes = poisoned_quantized<Space>(rows, 2 * width);
  const auto gate = columns_of(wanted, 0, width), up = columns_of(wanted, width, width);
  swiglu_backward(Space(), gate, up, above, gate, up);
  kernel(above, packed, factors, codes);
  expect_near(packed, wanted);
  quantize_rows(Space(), packed, factors, wanted_codes);
  expect_same_codes(codes, wanted_codes);
}

// At the ends of what each kernel takes on GPUs.
constexpr std::size_t widths[] = {1, 24, 1408, 6144, 6152, 12288, 12296, 24576, 24584};

TYPED_TEST(SwigluCodes, WritesWhatTwoKernelsDo) {
  for (const std::size_t width : widths)
    expect_both_in_one<TypeParam>(width, [](const auto&... operands) { swiglu(TypeParam(), operands...); });
}

TYPED_TEST(SwigluCodes, WritesWhatTwoKernelsDoBackward) {
  for (const std::size_t width : widths)
    expect_both_backward_in_one<TypeParam>(width,
                                           [](const auto&... operands) { swiglu_backward(TypeParam(), operands...); });
}

TYPED_TEST(SwigluCodes, HoldsRowsInRegisters) {
  constexpr std::size_t most = 6 * RowTeams<TypeParam, 4, 8, 512>::step;
  for (const std::size_t width : {std::size_t{8}, most - 8, most}) {
    expect_both_in_one<TypeParam>(
        width, [](const auto&... operands) { swiglu_in_registers<8, 6, 4>(TypeParam(), operands...); });
    expect_both_backward_in_one<TypeParam>(
        width, [](const auto&... operands) { swiglu_backward_in_registers<8, 6, 4>(TypeParam(), operands...); });
  }
}

TYPED_TEST(SwigluCodes, RefusesExtentsThatDoNotFit) {
  const auto gate = uneven_rows<TypeParam>(16, 1), packed = uneven_rows<TypeParam>(32, 2);
  const auto few = poisoned_quantized<TypeParam>(rows, 15), many = poisoned_quantized<TypeParam>(rows, 32);
  const auto factors = random_vector<float, TypeParam>(32, 3), few_factors = random_vector<float, TypeParam>(31, 3);
  EXPECT_THROW(swiglu(TypeParam(), gate, gate, gate, few), ExtentError);
  EXPECT_THROW(swiglu_backward(TypeParam(), gate, packed, factors, few), ExtentError);
  EXPECT_THROW(swiglu_backward(TypeParam(), gate, packed, few_factors, many), ExtentError);
  EXPECT_THROW(swiglu_backward(TypeParam(), gate, gate, factors, many), ExtentError);
}

}  // namespace
