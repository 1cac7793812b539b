#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "Sward_AdamWUpdate.hpp"
#include "Sward_AllClose.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_OwnedMoment.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_ReferenceAdam.hpp"
#include "Sward_SelectionMemory.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class GrassUpdate : public ::testing::Test {};
TYPED_TEST_SUITE(GrassUpdate, TestSpaces);

constexpr double rate = 0.3;
constexpr Draw draw{8, 21, 4};
// An epsilon that matters beside the second moments of these tests, and a clipped gradient.
constexpr AdamStep adam_step{0.9, 0.99, 0.05, 3, 0.7};

/// Which rows (columns) of a matrix, how large that is, and how long they are.
struct Shape {
  Side side;
  std::size_t extent;
  std::size_t other;
  std::vector<int> rows;

  bool by_rows() const { return side == Side::rows; }
  std::size_t gradient_rows() const { return by_rows() ? rows.size() : other; }
  std::size_t gradient_columns() const { return by_rows() ? other : rows.size(); }
  std::size_t weight_rows() const { return by_rows() ? extent : other; }
  std::size_t weight_columns() const { return by_rows() ? other : extent; }
};

/// A matrix whose rows start `offset` elements after an aligned address.
template <class T, class Space>
Kokkos::View<T**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> offset_view(
    const Vector<T, Space>& memory, std::size_t rows, std::size_t columns, std::size_t offset) {
  return {memory.data() + offset, rows, columns};
}

template <class Scalar, class Weight, class Space>
struct Operands {
  Vector<Scalar, Space> gradient_memory, first_memory, second_memory;
  Vector<Weight, Space> weight_memory;
  Kokkos::View<Scalar**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> gradient, first, second;
  Kokkos::View<Weight**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> weight;

  Operands(const Shape& shape, std::size_t offset)
      : gradient_memory(random_vector<Scalar, Space>(offset + shape.gradient_rows() * shape.gradient_columns(), 1)),
        first_memory(random_vector<Scalar, Space>(gradient_memory.extent(0), 2, -0.5, 0.5)),
        second_memory(random_vector<Scalar, Space>(gradient_memory.extent(0), 3, 0.05, 1)),
        weight_memory(random_vector<Weight, Space>(offset + shape.weight_rows() * shape.weight_columns(), 4)),
        gradient(offset_view<Scalar, Space>(gradient_memory, shape.gradient_rows(), shape.gradient_columns(), offset)),
        first(offset_view<Scalar, Space>(first_memory, shape.gradient_rows(), shape.gradient_columns(), offset)),
        second(offset_view<Scalar, Space>(second_memory, shape.gradient_rows(), shape.gradient_columns(), offset)),
        weight(offset_view<Weight, Space>(weight_memory, shape.weight_rows(), shape.weight_columns(), offset)) {}
};

using HostMatrix = Matrix<double, Kokkos::HostSpace>;

/// The definition in double: Adam on every slot; rows decay when they are met first, then every slot takes its step.
struct Expected {
  HostMatrix first, second, weight;

  template <class Operands>
  Expected(const Shape& shape, const std::vector<float>& scale, double decay, const Operands& x)
      : first(as_double(x.first)), second(as_double(x.second)), weight(as_double(x.weight)) {
    const HostMatrix gradient = as_double(x.gradient);
    for (std::size_t slot = 0; slot < shape.rows.size(); ++slot) {
      const auto begin = shape.rows.begin();
      const auto here = begin + static_cast<std::ptrdiff_t>(slot);
      const bool is_new = std::find(begin, here, *here) == here;
      const auto row = static_cast<std::size_t>(*here);
      for (std::size_t j = 0; j < shape.other; ++j) {
        const auto [a, b] = shape.by_rows() ? std::pair{slot, j} : std::pair{j, slot};
        double& w = shape.by_rows() ? weight(row, j) : weight(j, row);
        const double step = reference_adam(adam_step, gradient(a, b), first(a, b), second(a, b));
        w = (is_new ? 1 - decay : 1.0) * w - rate * static_cast<double>(scale[slot]) * step;
      }
    }
  }

  template <class View>
  static HostMatrix as_double(const View& view) {
    const auto host = to_host(view);
    return make_matrix<double, Kokkos::HostSpace>(
        view.extent(0), view.extent(1), [&](std::size_t i, std::size_t j) { return static_cast<double>(host(i, j)); });
  }
};

std::vector<float> scales(std::size_t rank) { return to_list(random_vector<float, Kokkos::Serial>(rank, 6, 0.5, 2)); }

/// `tolerance`: half the spacing of the type that is computed in, relative; `rounding`: that of the weights' type, or
/// twice it for stochastic rounding.
template <class Scalar, class Weight, class Space>
void agrees_with_definition(const Shape& shape, double decay, double tolerance, double rounding_error,
                            const Rounding& rounding, std::size_t offset) {
  const std::string text = std::to_string(shape.extent) + " x " + std::to_string(shape.other) +
                           ", r = " + std::to_string(shape.rows.size()) + ", side " +
                           (shape.by_rows() ? "rows" : "columns");
  const std::vector<float> scale = scales(shape.rows.size());
  const auto memory = given_selection<Space>(shape.rows, scale, shape.extent, shape.side);
  const Operands<Scalar, Weight, Space> x(shape, offset);
  const Expected expected(shape, scale, decay, x);
  const auto gradient = Expected::as_double(x.gradient);
  grass_update(Space(), memory.selection(), adam_step, rate, decay, rounding, x.gradient, x.first, x.second, x.weight);
  // As in the tests of adam_update and apply_row_update: steps are below 4, of which up to three come in with factors
  // of up to 0.6 and ten roundings each, on weights below 1.
  EXPECT_TRUE(all_close(x.first, expected.first, 0, 2 * tolerance)) << text;
  EXPECT_TRUE(all_close(x.second, expected.second, 5 * tolerance, 0)) << text;
  EXPECT_TRUE(all_close(x.weight, expected.weight, rounding_error, 100 * tolerance)) << text;
  EXPECT_TRUE(all_close(x.gradient, gradient, 0, 0)) << text;
}

template <class Space>
void agrees_in_all_types(const Shape& shape, double decay, std::size_t offset) {
  constexpr double half_float = 6e-8;
  agrees_with_definition<double, double, Space>(shape, decay, 1.2e-16, 0, Rounding{true, draw}, offset);
  agrees_with_definition<float, float, Space>(shape, decay, half_float, 0, Rounding{true, draw}, offset);
  agrees_with_definition<float, BFloat16, Space>(shape, decay, half_float, 0x1p-8, Rounding{false, draw}, offset);
  agrees_with_definition<float, BFloat16, Space>(shape, decay, half_float, 0x1p-7, Rounding{true, draw}, offset);
}

TYPED_TEST(GrassUpdate, AgreesWithDefinition) {
  const std::vector<int> distinct = {0, 3, 4, 11}, repeated = {0, 0, 2, 7, 7, 7, 11, 11};
  for (const Side side : {Side::rows, Side::columns})
    for (const double decay : {0.0, 0.25})
      for (const std::size_t other : {1, 37, 256, 704}) {
        agrees_in_all_types<TypeParam>({side, 12, other, distinct}, decay, 0);
        agrees_in_all_types<TypeParam>({side, 12, other, repeated}, decay, 0);
        agrees_in_all_types<TypeParam>({side, 16, other, repeated}, decay, 1);
        agrees_in_all_types<TypeParam>({side, 1, other, {0}}, decay, 0);
      }
}

/// `rank` ascending numbers below 2 rank, every tenth of which stands in two slots.
std::vector<int> many_rows(int rank) {
  std::vector<int> rows;
  for (int slot = 0; slot < rank; ++slot) rows.push_back(slot % 10 == 9 ? rows.back() : 2 * slot);
  return rows;
}

TYPED_TEST(GrassUpdate, AgreesWithDefinitionOverSeveralBlocksOfSlots) {
  // Slots 255 and 256 are in two blocks.
  std::vector<int> across = many_rows(600);
  across[256] = across[255];
  agrees_in_all_types<TypeParam>({Side::columns, 1200, 5, across}, 0.1, 0);
  agrees_in_all_types<TypeParam>({Side::columns, 1200, 5, across}, 0.1, 1);
  agrees_in_all_types<TypeParam>({Side::rows, 1200, 5, across}, 0.1, 0);
}

TYPED_TEST(GrassUpdate, TakesARankBeyondTheNearMemory) {
  const std::vector<int> rows = many_rows(13000);
  const Shape shape{Side::columns, 26000, 3, rows};
  agrees_with_definition<float, float, TypeParam>(shape, 0.1, 6e-8, 0, Rounding{}, 0);
}

/// Matrices as they meet in a layer: by rows, by columns, with slots that share a row, and updated in full.
std::vector<Shape> shapes_of_a_layer() {
  std::vector<int> all(7);
  std::iota(all.begin(), all.end(), 0);
  return {{Side::rows, 12, 704, {0, 3, 4, 11}},
          {Side::rows, 7, 300, all},
          {Side::columns, 40, 9, many_rows(16)},
          {Side::columns, 1200, 5, many_rows(600)},
          {Side::rows, 1, 1, {0}},
          {Side::columns, 44, 3, {0, 0, 43, 43}},
          {Side::rows, 16, 37, {0, 0, 2, 7, 7, 7, 11, 11}}};
}

/// The updates of a layer launched together: those of the definition, and to the bit those of a launch each.
template <class Scalar, class Weight, class Space>
void updates_a_layer_at_once(double tolerance, double rounding_error) {
  using Matrices = Operands<Scalar, Weight, Space>;
  using Update = RowUpdate<Space, decltype(Matrices::gradient), decltype(Matrices::first), decltype(Matrices::second),
                           decltype(Matrices::weight)>;
  const std::vector<Shape> shapes = shapes_of_a_layer();
  std::vector<Matrices> together, alone;
  std::vector<Expected> expected;
  std::vector<SelectionMemory<Space>> selections;
  UpdateBatch<Update, updates_of_a_launch<Update>> batch;
  for (const Shape& shape : shapes) {
    const bool in_full = shape.by_rows() && shape.rows.size() == shape.extent;
    const std::vector<float> scale = in_full ? std::vector<float>(shape.extent, 1.0F) : scales(shape.rows.size());
    const auto& x = together.emplace_back(shape, 0);
    const auto& y = alone.emplace_back(shape, 0);
    const auto selection =
        selections.emplace_back(given_selection<Space>(shape.rows, scale, shape.extent, shape.side)).selection();
    expected.emplace_back(shape, scale, 0.1, x);
    const Rounding rounding{true, Draw{8, 21, static_cast<std::uint32_t>(batch.count)}};
    if (in_full) {
      batch.add(adamw_row_update<Space>(adam_step, rate, 0.1, rounding, x.gradient, x.first, x.second, x.weight));
      adamw_update(Space(), adam_step, rate, 0.1, rounding, y.gradient, y.first, y.second, y.weight);
    } else {
      batch.add(grass_row_update(selection, adam_step, rate, 0.1, rounding, x.gradient, x.first, x.second, x.weight));
      grass_update(Space(), selection, adam_step, rate, 0.1, rounding, y.gradient, y.first, y.second, y.weight);
    }
  }
  launch_updates("Sward::grass_update", Space(), batch);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    EXPECT_TRUE(all_close(together[i].first, expected[i].first, 0, 2 * tolerance)) << i;
    EXPECT_TRUE(all_close(together[i].second, expected[i].second, 5 * tolerance, 0)) << i;
    EXPECT_TRUE(all_close(together[i].weight, expected[i].weight, rounding_error, 100 * tolerance)) << i;
    EXPECT_TRUE(all_close(together[i].weight, Expected::as_double(alone[i].weight), 0, 0)) << i;
  }
}

TYPED_TEST(GrassUpdate, UpdatesALayerAtOnce) {
  updates_a_layer_at_once<double, double, TypeParam>(1.2e-16, 0);
  updates_a_layer_at_once<float, BFloat16, TypeParam>(6e-8, 0x1p-7);
}

/// The sums of squares that an update writes: of every block of the gradient, which clipping does not scale.
template <class Scalar, class Space>
void writes_squares_of_blocks(const Shape& shape, std::size_t offset) {
  const auto memory = given_selection<Space>(shape.rows, scales(shape.rows.size()), shape.extent, shape.side);
  const Operands<Scalar, Scalar, Space> x(shape, offset);
  const auto gradient = Expected::as_double(x.gradient);
  auto update =
      grass_row_update(memory.selection(), adam_step, rate, 0.1, Rounding{}, x.gradient, x.first, x.second, x.weight);
  const auto squares = poisoned_vector<Scalar, Space>(update.blocks());
  update.write_squares(squares);
  launch_updates("Sward::grass_update", Space(), UpdateBatch<decltype(update), 1>{1, {update}});
  const std::size_t blocks = (gradient.extent(1) + 255) / 256;
  ASSERT_EQ(squares.extent(0), gradient.extent(0) * blocks);
  const auto expected = make_vector<double, Kokkos::HostSpace>(squares.extent(0), [&](std::size_t i) {
    double sum = 0;
    for (std::size_t j = i % blocks * 256; j < std::min(gradient.extent(1), (i % blocks + 1) * 256); ++j)
      sum += gradient(i / blocks, j) * gradient(i / blocks, j);
    return sum;
  });
  // Sums of up to 256 positive terms in at least eight lanes, then these in pairs: 32 + 5 roundings.
  EXPECT_TRUE(all_close(squares, expected, 38 * (sizeof(Scalar) == 4 ? 0x1p-24 : 0x1p-53), 0));
  EXPECT_THROW(update.write_squares(poisoned_vector<Scalar, Space>(squares.extent(0) + 1)), ExtentError);
}

TYPED_TEST(GrassUpdate, WritesTheSquaresOfBlocks) {
  for (const Side side : {Side::rows, Side::columns})
    for (const std::size_t other : {1, 37, 704}) {
      writes_squares_of_blocks<float, TypeParam>({side, 12, other, {0, 3, 4, 11}}, 0);
      writes_squares_of_blocks<float, TypeParam>({side, 12, other, {0, 0, 2, 7, 7, 7, 11, 11}}, 1);
      writes_squares_of_blocks<double, TypeParam>({side, 12, other, {0, 0, 2, 7, 7, 7, 11, 11}}, 0);
    }
  writes_squares_of_blocks<float, TypeParam>({Side::columns, 1200, 5, many_rows(600)}, 0);
}

/// The bits of weights in BFloat16: those of the same update in float, rounded with the random bits of the last slot
/// that holds their row.
template <class Space>
void rounds_weights_as_defined(const Shape& shape, std::size_t offset) {
  const auto memory = given_selection<Space>(shape.rows, scales(shape.rows.size()), shape.extent, shape.side);
  const Operands<float, float, Space> exact(shape, offset);
  const Operands<float, BFloat16, Space> nearest(shape, offset), drawn(shape, offset);
  const auto start = to_host(nearest.weight);
  const auto exact_start = Kokkos::create_mirror(exact.weight_memory);
  for (std::size_t i = 0; i < exact_start.extent(0); ++i) exact_start(i) = to_host(nearest.weight_memory)(i);
  Kokkos::deep_copy(exact.weight_memory, exact_start);
  const auto update = [&](const auto& x, const Rounding& rounding) {
    grass_update(Space(), memory.selection(), adam_step, rate, 0.1, rounding, x.gradient, x.first, x.second, x.weight);
  };
  update(exact, Rounding{});
  update(nearest, Rounding{false, draw});
  update(drawn, Rounding{true, draw});
  const auto values = to_host(exact.weight);
  const auto to_nearest = to_host(nearest.weight), by_draw = to_host(drawn.weight);
  for (std::size_t i = 0; i < values.extent(0); ++i)
    for (std::size_t j = 0; j < values.extent(1); ++j) {
      const int row = static_cast<int>(shape.by_rows() ? i : j);
      const auto end = std::upper_bound(shape.rows.begin(), shape.rows.end(), row);
      const bool is_selected = std::binary_search(shape.rows.begin(), end, row);
      const int slot = static_cast<int>(end - shape.rows.begin()) - 1;
      const int columns = static_cast<int>(shape.gradient_columns());
      const std::uint32_t random =
          is_selected ? random_piece(draw, RoundedValue::weight, shape.by_rows() ? slot : static_cast<int>(i),
                                     shape.by_rows() ? static_cast<int>(j) : slot, columns)
                      : 0;
      const BFloat16 rounded = is_selected ? BFloat16::stochastic(values(i, j), random) : start(i, j);
      ASSERT_EQ(by_draw(i, j).bits(), rounded.bits()) << i << ", " << j;
      ASSERT_EQ(to_nearest(i, j).bits(), BFloat16(values(i, j)).bits()) << i << ", " << j;
    }
}

TYPED_TEST(GrassUpdate, RoundsWeightsWithTheBitsOfTheirElements) {
  for (const std::size_t other : {264, 77})
    for (const std::size_t offset : {0, 1}) {
      rounds_weights_as_defined<TypeParam>({Side::rows, 12, other, {0, 3, 3, 11}}, offset);
      rounds_weights_as_defined<TypeParam>({Side::columns, 40, other, many_rows(16)}, offset);
    }
}

/// Moments of other types: those of the same update in float, off by what their storage rounds.
template <class Element, class Space>
void keeps_moments_near_those_in_float(const Shape& shape, double relative) {
  const auto memory = given_selection<Space>(shape.rows, scales(shape.rows.size()), shape.extent, shape.side);
  const Operands<float, float, Space> x(shape, 0), y(shape, 0);
  const OwnedMoment<Element, Space> first(shape.gradient_rows(), shape.gradient_columns());
  const OwnedMoment<Element, Space> second(shape.gradient_rows(), shape.gradient_columns());
  Kokkos::deep_copy(x.first, 0.0F);
  Kokkos::deep_copy(x.second, 0.0F);
  for (std::int64_t count = 1; count <= 2; ++count) {
    const AdamStep step{0.9, 0.99, 0.05, count};
    const Rounding rounding{true, Draw{1, static_cast<std::uint64_t>(count), 0}};
    grass_update(Space(), memory.selection(), step, rate, 0.1, rounding, x.gradient, x.first, x.second, x.weight);
    grass_update(Space(), memory.selection(), step, rate, 0.1, rounding, y.gradient, first.storage, second.storage,
                 y.weight);
    // The first update knows nothing of how moments are kept. The second one's two steps, at most 3 of them a weight,
    // each below 1 times 0.6, are off by the relative errors of m and of the root of v, half that of v.
    EXPECT_TRUE(all_close(y.weight, x.weight, 0, count == 1 ? 1e-6 : 3 * 0.6 * 1.6 * relative)) << count;
    EXPECT_EQ(count == 1, static_cast<bool>(all_close(y.weight, x.weight, 0, 1e-6)));
  }
}

TYPED_TEST(GrassUpdate, KeepsMomentsInFewerBits) {
  for (const std::size_t other : {37, 512}) {
    for (const Side side : {Side::rows, Side::columns}) {
      keeps_moments_near_those_in_float<BFloat16, TypeParam>({side, 12, other, {0, 3, 7, 7, 11}}, 0x1p-7);
      keeps_moments_near_those_in_float<EightBits, TypeParam>({side, 12, other, {0, 3, 7, 7, 11}}, 0.125);
    }
    keeps_moments_near_those_in_float<EightBits, TypeParam>({Side::columns, 1200, 3, many_rows(600)}, 0.125);
  }
}

TYPED_TEST(GrassUpdate, RefusesWhatDoesNotFit) {
  const auto rows = given_selection<TypeParam>({1, 2}, {1.0F, 1.0F}, 4, Side::rows);
  const auto columns = given_selection<TypeParam>({1, 2}, {1.0F, 1.0F}, 4, Side::columns);
  const Matrix<float, TypeParam> fit("fit", 2, 6), weight("weight", 4, 6), other("other", 3, 6), turned("turned", 6, 4);
  const auto update = [&](const auto& memory, const AdamStep& step, const auto& gradient, const auto& first,
                          const auto& second, const auto& given_weight) {
    grass_update(TypeParam(), memory.selection(), step, rate, 0.0, Rounding{}, gradient, first, second, given_weight);
  };
  EXPECT_NO_THROW(update(rows, adam_step, fit, fit, fit, weight));
  EXPECT_THROW(update(rows, AdamStep{0.9, 0.99, 0, 0}, fit, fit, fit, weight), std::invalid_argument);
  EXPECT_THROW(update(rows, adam_step, other, other, other, weight), ExtentError);
  EXPECT_THROW(update(rows, adam_step, fit, other, fit, weight), ExtentError);
  EXPECT_THROW(update(rows, adam_step, fit, fit, other, weight), ExtentError);
  EXPECT_THROW(update(rows, adam_step, fit, fit, fit, other), ExtentError);
  EXPECT_THROW(update(columns, adam_step, fit, fit, fit, turned), ExtentError);
  OwnedMoment<EightBits, TypeParam> codes(2, 6);
  EXPECT_NO_THROW(update(rows, adam_step, fit, codes.storage, codes.storage, weight));
  codes.storage.scales = Matrix<float, TypeParam>();
  EXPECT_THROW(update(rows, adam_step, fit, codes.storage, codes.storage, weight), ExtentError);
}

}  // namespace
