#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_ApplyRowUpdate.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class ApplyRowUpdate : public ::testing::Test {};
TYPED_TEST_SUITE(ApplyRowUpdate, TestSpaces);

constexpr double rate = 0.3;

/// Element j of row (or column) `row` in the orientation that the selection looks at.
template <class View>
auto& element(const View& matrix, Side side, std::size_t row, std::size_t j) {
  return side == Side::rows ? matrix(row, j) : matrix(j, row);
}

template <class Scalar, class Space>
Matrix<Scalar, Space> random_oriented(Side side, std::size_t selected, std::size_t other, std::uint64_t seed) {
  return side == Side::rows ? random_matrix<Scalar, Space>(selected, other, seed)
                            : random_matrix<Scalar, Space>(other, selected, seed);
}

/// The definition in double: rows decay when they are met first, then every slot takes its step.
template <class Weight, class Step>
Matrix<double, Kokkos::HostSpace> updated(const Weight& weight, const Step& step, Side side,
                                          const std::vector<int>& rows, const std::vector<float>& scale, double decay) {
  const auto result = make_matrix<double, Kokkos::HostSpace>(
      weight.extent(0), weight.extent(1), [&](std::size_t i, std::size_t j) { return weight(i, j); });
  const std::size_t other = weight.extent(side == Side::rows ? 1 : 0);
  for (std::size_t slot = 0; slot < rows.size(); ++slot) {
    const auto row = static_cast<std::size_t>(rows[slot]);
    const bool is_new = std::find(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(slot), rows[slot]) ==
                        rows.begin() + static_cast<std::ptrdiff_t>(slot);
    for (std::size_t j = 0; j < other; ++j) {
      double& w = element(result, side, row, j);
      if (is_new) w *= 1 - decay;
      w -= rate * static_cast<double>(scale[slot]) * static_cast<double>(element(step, side, slot, j));
    }
  }
  return result;
}

template <class Scalar, class Space>
void agrees_with_definition(Side side, std::size_t extent, std::size_t other, const std::vector<int>& rows,
                            double decay, double tolerance) {
  const auto scale = to_list(random_vector<float, Kokkos::Serial>(rows.size(), 6, 0.5, 2));
  const auto memory = given_selection<Space>(rows, scale, extent, side);
  const auto weight = random_oriented<Scalar, Space>(side, extent, other, 1);
  const auto step = random_oriented<Scalar, Space>(side, rows.size(), other, 2);
  const auto expected = updated(to_host(weight), to_host(step), side, rows, scale, decay);
  apply_row_update(Space(), memory.selection(), step, rate, decay, Rounding{}, weight);
  // At most three slots: eight roundings of numbers below 1 + 3 * 0.6.
  EXPECT_TRUE(all_close(weight, expected, 0, 24 * tolerance)) << extent << ", " << other;
}

TYPED_TEST(ApplyRowUpdate, AgreesWithDefinition) {
  for (const Side side : {Side::rows, Side::columns}) {
    for (const double decay : {0.0, 0.25}) {
      for (const std::size_t other : {1, 37, 700}) {
        const std::vector<int> distinct = {0, 3, 4, 11}, repeated = {0, 0, 2, 7, 7, 7, 11, 11};
        agrees_with_definition<float, TypeParam>(side, 12, other, distinct, decay, 6e-8);
        agrees_with_definition<float, TypeParam>(side, 12, other, repeated, decay, 6e-8);
        agrees_with_definition<double, TypeParam>(side, 12, other, repeated, decay, 1.2e-16);
        agrees_with_definition<double, TypeParam>(side, 1, other, {0}, decay, 1.2e-16);
      }
    }
  }
}

TYPED_TEST(ApplyRowUpdate, RepeatedRowsAddUpAndDecayOnce) {
  // All numbers are exact: 3/4 of 8, less (2 + 4) / 2 times 1; three slots of row 1.
  for (const Side side : {Side::rows, Side::columns}) {
    const auto memory = given_selection<TypeParam>({1, 1, 1}, {2.0F, 2.0F, 2.0F}, 3, side);
    const bool by_rows = side == Side::rows;
    const auto weight = make_matrix<float, TypeParam>(by_rows ? 3 : 5, by_rows ? 5 : 3, [](auto, auto) { return 8; });
    const auto step = make_matrix<float, TypeParam>(by_rows ? 3 : 5, by_rows ? 5 : 3, [](auto, auto) { return 1; });
    apply_row_update(TypeParam(), memory.selection(), step, 0.5, 0.25, Rounding{}, weight);
    const auto expected = make_matrix<float, Kokkos::HostSpace>(
        weight.extent(0), weight.extent(1),
        [&](std::size_t i, std::size_t j) { return (by_rows ? i : j) == 1 ? 8 * 0.75 - 3 * (0.5 * 2) : 8; });
    EXPECT_TRUE(all_close(weight, expected, 0, 0));
  }
}

TYPED_TEST(ApplyRowUpdate, LeavesTheBitsOfAllOtherElements) {
  // Bits that any arithmetic would change: a signalling NaN, the smallest number, minus zero.
  const std::vector<std::uint32_t> patterns = {0x7f800001U, 0x00000001U, 0x80000000U};
  const auto pattern = [&](std::size_t i, std::size_t j) { return patterns[(i + j) % 3]; };
  for (const Side side : {Side::rows, Side::columns}) {
    const auto memory = given_selection<TypeParam>({2, 5, 5}, {1.0F, 0.5F, 0.5F}, 9, side);
    const bool by_rows = side == Side::rows;
    const Matrix<float, TypeParam> weight("weight", by_rows ? 9 : 40, by_rows ? 40 : 9);
    const Kokkos::View<std::uint32_t**, Kokkos::LayoutRight, TypeParam, Kokkos::MemoryTraits<Kokkos::Unmanaged>> bits(
        reinterpret_cast<std::uint32_t*>(weight.data()), weight.extent(0), weight.extent(1));
    Kokkos::deep_copy(bits, make_matrix<std::uint32_t, TypeParam>(bits.extent(0), bits.extent(1), pattern));
    const auto step = random_oriented<float, TypeParam>(side, 3, 40, 2);
    apply_row_update(TypeParam(), memory.selection(), step, rate, 0.1, Rounding{}, weight);
    const auto after = to_host(bits);
    for (std::size_t i = 0; i < after.extent(0); ++i)
      for (std::size_t j = 0; j < after.extent(1); ++j) {
        const std::size_t row = by_rows ? i : j;
        EXPECT_EQ(after(i, j) == pattern(i, j), row != 2 && row != 5) << i << ", " << j;
      }
  }
}

TYPED_TEST(ApplyRowUpdate, RefusesExtentsThatDoNotFit) {
  const auto rows = given_selection<TypeParam>({1, 2}, {1.0F, 1.0F}, 4, Side::rows);
  const auto columns = given_selection<TypeParam>({1, 2}, {1.0F, 1.0F}, 4, Side::columns);
  const Matrix<float, TypeParam> weight("weight", 4, 6), step("step", 2, 6), turned("turned", 6, 4),
      turned_step("turned_step", 6, 2);
  const auto update = [&](const auto& memory, const auto& given_step, const auto& given_weight) {
    apply_row_update(TypeParam(), memory.selection(), given_step, rate, 0.0, Rounding{}, given_weight);
  };
  EXPECT_NO_THROW(update(rows, step, weight));
  EXPECT_NO_THROW(update(columns, turned_step, turned));
  EXPECT_THROW(update(rows, step, turned), ExtentError);
  EXPECT_THROW(update(rows, weight, weight), ExtentError);
  EXPECT_THROW(update(columns, turned_step, weight), ExtentError);
  EXPECT_THROW(update(columns, step, turned), ExtentError);
  const auto scale_differs = [&] {
    auto memory = rows;
    memory.scale = Vector<float, TypeParam>("scale", 3);
    return memory;
  };
  EXPECT_THROW(update(scale_differs(), step, weight), ExtentError);
}

}  // namespace
