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

constexpr AttentionShape shape{3, 40, 4, 4, 64};

/// Packed operands, and everything that the two functions write, poisoned.
template <class Scalar, class Space>
struct Operands {
  using Value = Real<Scalar>;
  std::size_t tokens = static_cast<std::size_t>(shape.tokens());
  std::size_t columns = static_cast<std::size_t>(shape.query_columns());
  Matrix<Value, Space> cosine = table<Value>([](double angle) { return std::cos(angle); });
  Matrix<Value, Space> sine = table<Value>([](double angle) { return std::sin(angle); });
  Matrix<Scalar, Space> packed = random_matrix<Scalar, Space>(tokens, 3 * columns, 1, -2, 2);
  Matrix<Scalar, Space> above = random_matrix<Scalar, Space>(tokens, columns, 2);
  Matrix<Scalar, Space> output = poisoned_matrix<Scalar, Space>(tokens, columns);
  Matrix<Value, Space> logsumexp = poisoned_matrix<Value, Space>(tokens, static_cast<std::size_t>(shape.heads));
  Matrix<Value, Space> delta = poisoned_matrix<Value, Space>(tokens, static_cast<std::size_t>(shape.heads));
  Matrix<Scalar, Space> gradient = poisoned_matrix<Scalar, Space>(tokens, 3 * columns);

  template <class T, class Function>
  static Matrix<T, Space> table(const Function& function) {
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
                              gradient, {});
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
      wide.tokens, 3 * wide.columns,
      [host = to_host(narrow.packed)](std::size_t i, std::size_t j) { return host(i, j); });
  wide.above = make_matrix<float, Kokkos::Serial>(
      wide.tokens, wide.columns, [host = to_host(narrow.above)](std::size_t i, std::size_t j) { return host(i, j); });
  narrow.run();
  wide.run_apart();
  // Queries, keys, weights and results round to 8 bits: at most 2^-8 each, half of that on the average.
  EXPECT_LT(relative_error(narrow.output, wide.output), 0x1p-7);
  EXPECT_LT(relative_error(narrow.gradient, wide.gradient), 0x1p-6);
}

#ifdef KOKKOS_ENABLE_CUDA
TEST(RotaryAttentionPath, TakesTheKernelForShortSequences) {
  Operands<BFloat16, Kokkos::Cuda> operands;
  EXPECT_TRUE(uses_short_attention(shape, operands.packed, operands.output));
  const auto before = to_host(operands.packed);
  operands.run();
  EXPECT_TRUE(all_close(operands.packed, before, 0, 0)) << "rotated in place: another path was taken";
}
#endif

}  // namespace
