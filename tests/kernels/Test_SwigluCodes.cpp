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

template <class View>
std::size_t different_bits(const View& a, const View& b) {
  const auto x = to_host(a), y = to_host(b);
  std::size_t different = 0;
  for (std::size_t i = 0; i < x.extent(0); ++i)
    for (std::size_t j = 0; j < x.extent(1); ++j) different += x(i, j).bits() == y(i, j).bits() ? 0 : 1;
  return different;
}

template <class Space, class Kernel>
void expect_both_in_one(std::size_t width, const Kernel& kernel) {
  const auto gate = uneven_rows<Space>(width, 1), up = uneven_rows<Space>(width, 2);
  const auto wanted = poisoned_matrix<BFloat16, Space>(rows, width),
             output = poisoned_matrix<BFloat16, Space>(rows, width);
  const auto wanted_codes = poisoned_quantized<Space>(rows, width), codes = poisoned_quantized<Space>(rows, width);
  swiglu(Space(), gate, up, wanted);
  quantize_rows(Space(), wanted, wanted_codes);
  kernel(gate, up, output, codes);
  EXPECT_EQ(different_bits(output, wanted), 0U) << width;
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
  const auto gate = Kokkos::subview(wanted, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, width));
  const auto up = Kokkos::subview(wanted, Kokkos::ALL, std::pair(width, 2 * width));
  swiglu_backward(Space(), gate, up, above, gate, up);
  quantize_rows(Space(), wanted, factors, wanted_codes);
  kernel(above, packed, factors, codes);
  EXPECT_EQ(different_bits(packed, wanted), 0U) << width;
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
  constexpr std::size_t most = 6 * row_step<TypeParam, 4, 8>;
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
