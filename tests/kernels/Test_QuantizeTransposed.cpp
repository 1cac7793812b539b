#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_QuantizeRows.hpp"
#include "Sward_QuantizeTransposed.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class QuantizeTransposed : public ::testing::Test {};
TYPED_TEST_SUITE(QuantizeTransposed, TestSpaces);

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t columns) {
  const auto input = random_matrix<Scalar, Space>(rows, columns, 1, -3, 3);
  // Random numbers below 3 over a scale of at least 2^-7 stay below 448.
  const auto scale_of = [](std::size_t i) { return std::exp2(static_cast<double>(i % 5) - 7); };
  const auto scale = make_vector<float, Space>(rows, scale_of);
  const auto output = poisoned_matrix<Float8, Space>(columns, rows);
  quantize_transposed(Space(), input, scale, output);
  const auto host = to_host(input);
  const auto codes = to_host(output);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const auto quotient = static_cast<float>(static_cast<double>(host(i, j)) / scale_of(i));
      wrong += codes(j, i).bits() == Float8(quotient).bits() ? 0 : 1;
    }
  EXPECT_EQ(wrong, 0U) << rows << " x " << columns;
}

TYPED_TEST(QuantizeTransposed, AgreesWithDefinition) {
  for (const auto& [rows, columns] :
       {std::pair{1, 1}, {16, 16}, {48, 80}, {128, 64}, {144, 200}, {131, 67}, {512, 176}}) {
    const auto m = static_cast<std::size_t>(rows);
    const auto n = static_cast<std::size_t>(columns);
    agrees_with_definition<BFloat16, TypeParam>(m, n);
    agrees_with_definition<float, TypeParam>(m, n);
  }
}

TYPED_TEST(QuantizeTransposed, GivesTheCodesOfRows) {
  const std::size_t rows = 144, columns = 208;
  const auto input = random_matrix<BFloat16, TypeParam>(rows, columns, 1);
  const Float8Matrix<Matrix<Float8, TypeParam>, Vector<float, TypeParam>> by_rows{
      poisoned_matrix<Float8, TypeParam>(rows, columns), poisoned_vector<float, TypeParam>(rows)};
  const auto tiles = poisoned_matrix<Float8, TypeParam>(columns, rows);
  const auto scratch = poisoned_matrix<Float8, TypeParam>(columns, rows);
  quantize_rows(TypeParam(), input, by_rows);
  quantize_tiles(TypeParam(), input, by_rows.scale, tiles);
  quantize_tiles_in_scratch(TypeParam(), input, by_rows.scale, scratch);
  EXPECT_TRUE(all_close(scratch, tiles, 0, 0));
  const auto codes = to_host(by_rows.codes);
  const auto wanted =
      make_matrix<Float8, Kokkos::HostSpace>(columns, rows, [&](std::size_t j, std::size_t i) { return codes(i, j); });
  EXPECT_TRUE(all_close(tiles, wanted, 0, 0));
}

TYPED_TEST(QuantizeTransposed, RefusesExtentsThatDoNotFit) {
  const auto input = random_matrix<BFloat16, TypeParam>(32, 16, 1);
  const auto scale = random_vector<float, TypeParam>(32, 2, 1, 2);
  const auto output = poisoned_matrix<Float8, TypeParam>(32, 16);
  EXPECT_THROW(quantize_transposed(TypeParam(), input, scale, output), ExtentError);
  const Vector<float, TypeParam> few("few", 31);
  EXPECT_THROW(quantize_transposed(TypeParam(), input, few, poisoned_matrix<Float8, TypeParam>(16, 32)), ExtentError);
}

}  // namespace
