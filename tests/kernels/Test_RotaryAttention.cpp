#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RotaryAttention.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RotaryAttention : public ::testing::Test {};
TYPED_TEST_SUITE(RotaryAttention, TestSpaces);

constexpr AttentionShape one_head_each{3, 40, 4, 4, 64};
constexpr AttentionShape grouped{3, 40, 4, 2, 64};

/// Packed operands, and everything that the two functions write, poisoned.
template <class Scalar, class Space>
struct Operands {
  using Value = Real<Scalar>;
  AttentionShape shape = one_head_each;
  std::size_t tokens = static_cast<std::size_t>(shape.tokens());
  std::size_t columns = static_cast<std::size_t>(shape.query_columns());
  std::size_t packed_columns = columns + 2 * static_cast<std::size_t>(shape.key_value_columns());
  Matrix<Value, Space> cosine = table<Value>([](double angle) { return std::cos(angle); });
  Matrix<Value, Space> sine = table<Value>([](double angle) { return std::sin(angle); });
  Matrix<Scalar, Space> packed = random_matrix<Scalar, Space>(tokens, packed_columns, 1, -2, 2);
  Matrix<Scalar, Space> above = random_matrix<Scalar, Space>(tokens, columns, 2);
  Matrix<Scalar, Space> output = poisoned_matrix<Scalar, Space>(tokens, columns);
  Matrix<Value, Space> logsumexp = poisoned_matrix<Value, Space>(tokens, static_cast<std::size_t>(shape.heads));
  Matrix<Value, Space> delta = poisoned_matrix<Value, Space>(tokens, static_cast<std::size_t>(shape.heads));
  Matrix<Scalar, Space> gradient = poisoned_matrix<Scalar, Space>(tokens, packed_columns);
  AttentionColumns<Space, Scalar> wanted{};

  template <class T, class Function>
  Matrix<T, Space> table(const Function& function) const {
    return make_matrix<T, Space>(
        static_cast<std::size_t>(shape.length), static_cast<std::size_t>(shape.head_size) / 2,
        [&](std::size_t i, std::size_t j) {
          return function(static_cast<double>(i) * std::pow(10000.0, -2.0 * static_cast<double>(j) / shape.head_size));
        });
  }

  void run() {
    const Space space;
    rotary_attention(space, shape, WholeSequence{}, cosine, sine, packed, output, logsumexp, {});
    rotary_attention_backward(space, shape, WholeSequence{}, cosine, sine, packed, output, logsumexp, above, delta,
                              gradient, {}, wanted);
    space.fence();
  }

  /// The same step by step, on copies.
  void run_apart() {
    const Space space;
    rotary_embedding(space, cosine, sine, rotated_heads(shape), rotated_of(shape, packed));
    attention(space, shape, queries_of(shape, packed), keys_of(shape, packed), values_of(shape, packed), output,
              logsumexp);
    attention_backward(space, shape, queries_of(shape, packed), keys_of(shape, packed), values_of(shape, packed),
                       output, logsumexp, above, delta, queries_of(shape, gradient), keys_of(shape, gradient),
                       values_of(shape, gradient));
    rotary_embedding_backward(space, cosine, sine, rotated_heads(shape), rotated_of(shape, gradient));
    space.fence();
  }
};

/// ‖actual - expected‖ / ‖expected‖.
template <class Actual, class Expected>
double relative_error(const Actual& actual, const Expected& expected) {
  const auto got = to_host(actual);
  const auto wanted = to_host(expected);
  double error = 0.0;
  double norm = 0.0;
  for (std::size_t i = 0; i < got.extent(0); ++i)
    for (std::size_t j = 0; j < got.extent(1); ++j) {
      const double w = static_cast<double>(wanted(i, j));
      error += std::pow(static_cast<double>(got(i, j)) - w, 2);
      norm += w * w;
    }
  return std::sqrt(error / norm);
}

TYPED_TEST(RotaryAttention, IsRotationAndAttentionInOne) {
  Operands<float, TypeParam> together;
  Operands<float, Kokkos::Serial> apart;
  together.run();
  apart.run_apart();
  EXPECT_LT(relative_error(together.output, apart.output), 1e-5);
  EXPECT_LT(relative_error(together.gradient, apart.gradient), 1e-5);
}

TYPED_TEST(RotaryAttention, InBFloat16StaysWithinItsRounding) {
  Operands<BFloat16, TypeParam> narrow;
  Operands<float, Kokkos::Serial> wide;
  wide.packed = make_matrix<float, Kokkos::Serial>(
      wide.tokens, wide.packed_columns,
      [host = to_host(narrow.packed)](std::size_t i, std::size_t j) { return host(i, j); });
  wide.above = make_matrix<float, Kokkos::Serial>(
      wide.tokens, wide.columns, [host = to_host(narrow.above)](std::size_t i, std::size_t j) { return host(i, j); });
  narrow.run();
  wide.run_apart();
  // Queries, keys, weights and results round to 8 bits: at most 2^-8 each, half of that on the average.
  EXPECT_LT(relative_error(narrow.output, wide.output), 0x1p-7);
  EXPECT_LT(relative_error(narrow.gradient, wide.gradient), 0x1p-6);
}

/// Memory for a slice of columns below `extent`, ascending, some of them twice.
template <class Scalar, class Space>
struct OwnedSlice {
  Vector<int, Space> columns;
  Matrix<Scalar, Space> values;

  OwnedSlice(std::size_t rows, std::size_t extent, std::size_t count)
      : columns(make_vector<int, Space>(
            count, [=](std::size_t s) { return static_cast<int>((s % 5 == 1 ? s - 1 : s) * extent / count); })),
        values(poisoned_matrix<Scalar, Space>(rows, count)) {}
  ColumnSlice<Space, Scalar> slice() const { return {columns, values}; }
  auto expected(const Matrix<Scalar, Space>& whole, std::size_t first) const {
    const auto numbers = to_host(columns);
    const auto from = to_host(whole);
    return make_matrix<Scalar, Kokkos::HostSpace>(
        values.extent(0), values.extent(1),
        [&](std::size_t i, std::size_t s) { return from(i, first + static_cast<std::size_t>(numbers(s))); });
  }
};

/// Slices hold the bits of the whole gradient, and change none of it.
template <class Scalar, class Space>
void writes_wanted_columns(const AttentionShape& shape) {
  Operands<Scalar, Space> plain{shape}, all{shape}, one{shape};
  const auto key_columns = static_cast<std::size_t>(shape.key_value_columns());
  const OwnedSlice<Scalar, Space> query(plain.tokens, plain.columns, 101), key(plain.tokens, key_columns, 51);
  const OwnedSlice<Scalar, Space> value(plain.tokens, key_columns, key_columns), alone(plain.tokens, key_columns, 1);
  all.wanted = {query.slice(), key.slice(), value.slice()};
  one.wanted.key = alone.slice();
  plain.run();
  all.run();
  one.run();
  EXPECT_TRUE(all_close(all.gradient, plain.gradient, 0, 0));
  EXPECT_TRUE(all_close(one.gradient, plain.gradient, 0, 0));
  EXPECT_TRUE(all_close(query.values, query.expected(plain.gradient, 0), 0, 0));
  EXPECT_TRUE(all_close(key.values, key.expected(plain.gradient, plain.columns), 0, 0));
  EXPECT_TRUE(all_close(value.values, value.expected(plain.gradient, plain.columns + key_columns), 0, 0));
  EXPECT_TRUE(all_close(alone.values, alone.expected(plain.gradient, plain.columns), 0, 0));
}

TYPED_TEST(RotaryAttention, WritesWantedColumnsWithTheBitsOfTheWhole) {
  for (const AttentionShape& shape : {one_head_each, grouped}) {
    writes_wanted_columns<float, TypeParam>(shape);
    // Grouped heads in bfloat16 go to cuDNN on a GPU, which wants a workspace.
    if (runs_on_host<TypeParam> || shape.key_value_heads == shape.heads)
      writes_wanted_columns<BFloat16, TypeParam>(shape);
  }
}

TYPED_TEST(RotaryAttention, RefusesSlicesThatDoNotFit) {
  Operands<float, TypeParam> operands;
  const OwnedSlice<float, TypeParam> shorter(operands.tokens - 1, operands.columns, 7);
  operands.wanted.value = shorter.slice();
  EXPECT_THROW(operands.run(), ExtentError);
}

#ifdef KOKKOS_ENABLE_CUDA
TEST(RotaryAttentionPath, TakesTheKernelForShortSequences) {
  Operands<BFloat16, Kokkos::Cuda> operands;
  EXPECT_TRUE(uses_short_attention(operands.shape, operands.packed, operands.output));
  const auto before = to_host(operands.packed);
  operands.run();
  EXPECT_TRUE(all_close(operands.packed, before, 0, 0)) << "rotated in place: another path was taken";
}
#endif

}  // namespace
