#include <gtest/gtest.h>

#include <initializer_list>
#include <random>
#include <utility>

#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"
#include "Sward_TransposeCodes.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class TransposeCodes : public ::testing::Test {};
TYPED_TEST_SUITE(TransposeCodes, TestSpaces);

/// Any bits, those of NaN too.
template <class Space>
Matrix<Float8, Space> random_codes(std::size_t rows, std::size_t columns) {
  std::mt19937 engine(static_cast<unsigned>(rows * 1000 + columns));
  return make_matrix<Float8, Space>(
      rows, columns, [&](std::size_t, std::size_t) { return Float8::from_bits(static_cast<std::uint8_t>(engine())); });
}

/// How many elements of `output` are not those of the transpose, bit by bit.
template <class Input, class Output>
std::size_t wrong_elements(const Input& input, const Output& output) {
  const auto codes = to_host(input), transpose = to_host(output);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < codes.extent(0); ++i)
    for (std::size_t j = 0; j < codes.extent(1); ++j) wrong += codes(i, j).bits() == transpose(j, i).bits() ? 0 : 1;
  return wrong;
}

using Extents = std::initializer_list<std::pair<std::size_t, std::size_t>>;
constexpr Extents whole_packs = {{16, 16}, {48, 80}, {128, 128}, {144, 208}, {128, 272}, {512, 176}, {16, 2064}};

template <class Space, class Kernel>
void expect_transposes(const Extents& list, const Kernel& kernel) {
  for (const auto& [rows, columns] : list) {
    const auto input = random_codes<Space>(rows, columns);
    const auto output = poisoned_matrix<Float8, Space>(columns, rows);
    kernel(input, output);
    EXPECT_EQ(wrong_elements(input, output), 0U) << rows << " x " << columns;
  }
}

TYPED_TEST(TransposeCodes, AgreesWithDefinition) {
  const auto kernel = [](const auto& input, const auto& output) { transpose_codes(TypeParam(), input, output); };
  expect_transposes<TypeParam>(whole_packs, kernel);
  expect_transposes<TypeParam>({{1, 1}, {131, 67}, {15, 32}, {32, 15}, {4, 300}}, kernel);
}

// Hosts take it nowhere else.
TYPED_TEST(TransposeCodes, AgreesWithDefinitionByTilesOfPacks) {
  expect_transposes<TypeParam>(
      whole_packs, [](const auto& input, const auto& output) { transpose_tiles_of_codes(TypeParam(), input, output); });
}

TYPED_TEST(TransposeCodes, LeavesWhatLiesAroundIt) {
  const auto input = random_codes<TypeParam>(160, 64);
  const auto all_of_input = Kokkos::subview(input, std::pair(16, 144), std::pair(16, 48));
  const auto around = poisoned_matrix<Float8, TypeParam>(64, 192);
  const auto output = Kokkos::subview(around, std::pair(16, 48), std::pair(32, 160));
  transpose_codes(TypeParam(), all_of_input, output);
  EXPECT_EQ(wrong_elements(all_of_input, output), 0U);
  const auto host = to_host(around);
  const std::uint8_t poison = to_host(poisoned_matrix<Float8, TypeParam>(1, 1))(0, 0).bits();
  for (std::size_t i = 0; i < host.extent(0); ++i)
    for (std::size_t j = 0; j < host.extent(1); ++j)
      if (i < 16 || i >= 48 || j < 32 || j >= 160) {
        EXPECT_EQ(host(i, j).bits(), poison) << i << ", " << j;
      }
}

TYPED_TEST(TransposeCodes, RefusesExtentsThatDoNotFit) {
  const auto input = random_codes<TypeParam>(32, 16);
  EXPECT_THROW(transpose_codes(TypeParam(), input, poisoned_matrix<Float8, TypeParam>(32, 16)), ExtentError);
}

}  // namespace
