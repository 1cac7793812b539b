#include <gtest/gtest.h>

#include <cmath>
#include <type_traits>

#include "Sward_AllClose.hpp"
#include "Sward_OwnedSlice.hpp"
#include "Sward_PackedGradient.hpp"
#include "Sward_QuantizedViews.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class PackedGradient : public ::testing::Test {};
TYPED_TEST_SUITE(PackedGradient, TestSpaces);

/// The gradient that attention leaves, and memory for what is made of it.
template <class Scalar, class Space>
struct Operands {
  using Value = Real<Scalar>;
  AttentionShape shape;
  std::size_t tokens = static_cast<std::size_t>(shape.tokens());
  std::size_t of_query = static_cast<std::size_t>(shape.query_columns());
  std::size_t of_key = static_cast<std::size_t>(shape.key_value_columns());
  std::size_t columns = of_query + 2 * of_key;
  Matrix<Value, Space> cosine = table([](double angle) { return std::cos(angle); });
  Matrix<Value, Space> sine = table([](double angle) { return std::sin(angle); });
  Matrix<Scalar, Space> rotated = random_matrix<Scalar, Space>(tokens, columns, 1, -2, 2);
  Matrix<Scalar, Space> gradient = random_matrix<Scalar, Space>(tokens, columns, 1, -2, 2);
  OwnedSlice<Scalar, Space> query{tokens, of_query, 3}, key{tokens, of_key, 2}, value{tokens, of_key, 5};
  Vector<float, Space> factors =
      make_vector<float, Space>(columns, [](std::size_t j) { return std::exp2(static_cast<double>(j % 7) - 5); });
  Quantized<Space> codes = poisoned_quantized<Space>(tokens, columns);

  template <class Function>
  Matrix<Value, Space> table(const Function& function) const {
    return make_matrix<Value, Space>(
        static_cast<std::size_t>(shape.length), static_cast<std::size_t>(shape.head_size) / 2,
        [&](std::size_t i, std::size_t j) {
          return function(static_cast<double>(i + 1) * (0.1 + 0.37 * static_cast<double>(j)));
        });
  }
  PackedSlices<Space, Scalar> slices() const { return {query.slice(), key.slice(), value.slice()}; }
  PackedGradientCopies<Space, Scalar, Vector<float, Space>, Quantized<Space>> with_codes(
      const PackedSlices<Space, Scalar>& wanted, bool gradient_is_needed = true) const {
    return {wanted, factors, codes, gradient_is_needed};
  }
  template <class Copies>
  void finish(bool turns, const Copies& copies) const {
    finish_packed_gradient(Space(), shape, turns, cosine, sine, gradient, copies);
  }

  /// The gradient as it is to become: queries and keys turned back, in double.
  auto expected(bool turns) const {
    const auto from = to_host(rotated);
    const auto c = to_host(cosine), s = to_host(sine);
    const auto length = static_cast<std::size_t>(shape.length), half = static_cast<std::size_t>(shape.head_size) / 2;
    return make_matrix<double, Kokkos::HostSpace>(tokens, columns, [&](std::size_t i, std::size_t j) {
      const double own = static_cast<double>(from(i, j));
      if (!turns || j >= of_query + of_key) return own;
      const std::size_t place = j % (2 * half);
      const double along = static_cast<double>(c(i % length, place % half));
      const double across = static_cast<double>(s(i % length, place % half));
      return place < half ? own * along + static_cast<double>(from(i, j + half)) * across
                          : own * along - static_cast<double>(from(i, j - half)) * across;
    });
  }
  void expect_slices() const {
    EXPECT_TRUE(all_close(query.values, query.expected(queries_of(shape, gradient)), 0, 0)) << columns;
    EXPECT_TRUE(all_close(key.values, key.expected(keys_of(shape, gradient)), 0, 0)) << columns;
    EXPECT_TRUE(all_close(value.values, value.expected(values_of(shape, gradient)), 0, 0)) << columns;
  }
  void expect_codes() const {
    const auto wanted = poisoned_quantized<Space>(tokens, columns);
    quantize_rows(Space(), gradient, factors, wanted);
    expect_same_codes(codes, wanted);
  }
};

/// A result rounds once, and the sum of two products of up to 2 each before that.
template <class Scalar>
constexpr double of_result = std::is_same_v<Scalar, BFloat16> ? 0x1p-8 : 0;
template <class Scalar>
constexpr double of_sum = std::is_same_v<Scalar, double> ? 0x1p-50 : 0x1p-21;

template <class Scalar, class Space>
void expect_everything(const AttentionShape& shape, bool turns) {
  const Operands<Scalar, Space> x{shape};
  x.finish(turns, PackedGradientCopies<Space, Scalar>{x.slices(), {}, {}});
  EXPECT_TRUE(all_close(x.gradient, x.expected(turns), of_result<Scalar>, turns ? of_sum<Scalar> : 0)) << x.columns;
  x.expect_slices();
}

template <class Space>
void expect_codes_too(const AttentionShape& shape, bool turns) {
  const Operands<BFloat16, Space> x{shape};
  x.finish(turns, x.with_codes(x.slices()));
  EXPECT_TRUE(all_close(x.gradient, x.expected(turns), of_result<BFloat16>, turns ? of_sum<BFloat16> : 0)) << x.columns;
  x.expect_slices();
  x.expect_codes();
}

// Heads that are packs and heads that are not, grouped ones, and the ends of what each kernel takes on GPUs.
constexpr AttentionShape shapes[] = {{2, 3, 4, 4, 64},   {3, 5, 4, 2, 128},  {2, 3, 3, 1, 14},    {1, 9, 2, 2, 80},
                                     {2, 2, 16, 16, 64}, {2, 2, 17, 17, 64}, {2, 2, 32, 32, 64},  {2, 2, 33, 33, 64},
                                     {2, 2, 64, 64, 64}, {2, 2, 65, 65, 64}, {1, 2, 64, 64, 128}, {1, 2, 66, 66, 128}};

TYPED_TEST(PackedGradient, IsTurnedBackAndCopied) {
  for (const AttentionShape& shape : shapes)
    for (const bool turns : {true, false}) {
      expect_everything<double, TypeParam>(shape, turns);
      expect_everything<float, TypeParam>(shape, turns);
      expect_everything<BFloat16, TypeParam>(shape, turns);
      expect_codes_too<TypeParam>(shape, turns);
    }
}

TYPED_TEST(PackedGradient, HoldsRowsInRegisters) {
  for (const bool turns : {true, false}) {
    const Operands<BFloat16, TypeParam> x{{2, 3, 2, 2, 16}};
    const auto copies = x.with_codes(x.slices());
    const bool took =
        finish_packed_gradient_in_registers<8, 6, 4>(TypeParam(), x.shape, turns, x.cosine, x.sine, x.gradient, copies);
    ASSERT_TRUE(took);
    EXPECT_TRUE(all_close(x.gradient, x.expected(turns), 0x1p-8, 0x1p-21));
    x.expect_slices();
    x.expect_codes();
  }
}

/// The codes and slices of a gradient that nobody reads are those of one that is written.
TYPED_TEST(PackedGradient, NeedNotBeWritten) {
  for (const AttentionShape& shape : shapes) {
    const Operands<BFloat16, TypeParam> written{shape}, left{shape};
    written.finish(true, written.with_codes(written.slices()));
    left.finish(true, left.with_codes(left.slices(), false));
    EXPECT_TRUE(all_close(left.query.values, written.query.values, 0, 0));
    EXPECT_TRUE(all_close(left.key.values, written.key.values, 0, 0));
    EXPECT_TRUE(all_close(left.value.values, written.value.values, 0, 0));
    expect_same_codes(left.codes, written.codes);
  }
}

TYPED_TEST(PackedGradient, SlicesMayBeEmpty) {
  const Operands<BFloat16, TypeParam> x{{2, 3, 4, 2, 64}};
  x.finish(true, x.with_codes({{}, x.key.slice(), {}}));
  EXPECT_TRUE(all_close(x.gradient, x.expected(true), 0x1p-8, 0x1p-21));
  EXPECT_TRUE(all_close(x.key.values, x.key.expected(keys_of(x.shape, x.gradient)), 0, 0));
  x.expect_codes();
  const Operands<BFloat16, TypeParam> alone{{2, 3, 4, 2, 64}};
  alone.finish(true, PackedGradientCopies<TypeParam, BFloat16>());
  EXPECT_TRUE(all_close(alone.gradient, x.gradient, 0, 0));
}

}  // namespace
