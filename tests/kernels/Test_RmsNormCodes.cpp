#include <gtest/gtest.h>

#include <cmath>

#include "Sward_QuantizedViews.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RmsNormCodes.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

constexpr double epsilon = 1e-6;

template <class Space>
class RmsNormCodes : public ::testing::Test {};
TYPED_TEST_SUITE(RmsNormCodes, TestSpaces);

template <class Space>
struct Normed {
  Vector<float, Space> inverse_rms;
  Matrix<BFloat16, Space> output;
  Quantized<Space> codes;

  Normed(std::size_t rows, std::size_t columns)
      : inverse_rms(poisoned_vector<float, Space>(rows)),
        output(poisoned_matrix<BFloat16, Space>(rows, columns)),
        codes(poisoned_quantized<Space>(rows, columns)) {}
};

/// Rows of different sizes, one of zeros and one with a NaN.
template <class Space>
Matrix<BFloat16, Space> rows_of_all_kinds(std::size_t rows, std::size_t columns) {
  UniformNumbers next(3, -1, 1);
  return make_matrix<BFloat16, Space>(rows, columns, [&](std::size_t i, std::size_t j) {
    const double number = next() * std::exp2(static_cast<double>(i));
    return i == 1 ? 0.0 : i == 2 && j == columns / 2 ? std::nan("") : number;
  });
}

/// What one kernel after the other writes, bit for bit but for inverse_rms, whose sum has another order on hosts.
template <class Space, class Kernel>
void expect_both_in_one(std::size_t rows, std::size_t columns, const Kernel& kernel) {
  const auto input = rows_of_all_kinds<Space>(rows, columns);
  const auto weight = random_vector<BFloat16, Space>(columns, 4);
  const Normed<Space> apart(rows, columns), in_one(rows, columns);
  rms_norm(Space(), input, weight, epsilon, apart.inverse_rms, apart.output);
  kernel(input, weight, in_one);
  quantize_rows(Space(), in_one.output, apart.codes);
  expect_same_codes(in_one.codes, apart.codes);
  const auto inverse = to_host(in_one.inverse_rms), wanted_inverse = to_host(apart.inverse_rms);
  const auto output = to_host(in_one.output), wanted = to_host(apart.output);
  for (std::size_t i = 0; i < rows; ++i) {
    if (i == 2) {
      EXPECT_TRUE(std::isnan(inverse(i)) && std::isnan(static_cast<float>(output(i, 0))));
      continue;
    }
    EXPECT_NEAR(inverse(i), wanted_inverse(i), 1e-5 * wanted_inverse(i)) << "row " << i;
    for (std::size_t j = 0; j < columns; ++j) {
      const double w = static_cast<float>(wanted(i, j));
      // A step of bfloat16, where the last bits of inverse_rms decide.
      EXPECT_NEAR(static_cast<float>(output(i, j)), w, 0x1p-7 * std::abs(w)) << i << ", " << j;
    }
  }
}

TYPED_TEST(RmsNormCodes, WritesWhatTwoKernelsDo) {
  for (const std::size_t columns : {1, 24, 512, 520, 2048, 2056, 4096, 4104, 5000})
    expect_both_in_one<TypeParam>(11, columns, [](const auto& input, const auto& weight, const auto& to) {
      rms_norm(TypeParam(), input, weight, epsilon, to.inverse_rms, to.output, to.codes);
    });
}

TYPED_TEST(RmsNormCodes, HoldsRowsInRegisters) {
  constexpr std::size_t most = 2 * RowTeams<TypeParam, 1, 8, 512>::step;
  for (const std::size_t columns : {std::size_t{8}, most - 8, most})
    expect_both_in_one<TypeParam>(11, columns, [](const auto& input, const auto& weight, const auto& to) {
      rms_norm_in_registers<8, 2>(TypeParam(), input, weight, epsilon, to.inverse_rms, to.output, to.codes);
    });
}

TYPED_TEST(RmsNormCodes, RefusesCodesThatDoNotFit) {
  const auto input = random_matrix<BFloat16, TypeParam>(4, 16, 1);
  const auto weight = random_vector<BFloat16, TypeParam>(16, 2);
  const Normed<TypeParam> to(4, 16);
  EXPECT_THROW(
      rms_norm(TypeParam(), input, weight, epsilon, to.inverse_rms, to.output, poisoned_quantized<TypeParam>(4, 15)),
      ExtentError);
}

}  // namespace
