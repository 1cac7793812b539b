#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_CentralDifferences.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_RotaryEmbedding.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RotaryEmbedding : public ::testing::Test {};
TYPED_TEST_SUITE(RotaryEmbedding, TestSpaces);

constexpr double theta = 10000;

template <class Scalar, class Space>
struct Tables {
  Matrix<Real<Scalar>, Space> cosine, sine;
  Tables(std::size_t length, std::size_t head_size, const RotaryScaling& scaling = {})
      : cosine(poisoned_matrix<Real<Scalar>, Space>(length, head_size / 2)),
        sine(poisoned_matrix<Real<Scalar>, Space>(length, head_size / 2)) {
    rotary_table(Space(), theta, scaling, cosine, sine);
  }
};

template <class Scalar, class Space>
void agrees_with_definition(std::size_t length, std::size_t heads, std::size_t head_size, double tolerance,
                            const RotaryScaling& scaling = {}, double relative = 0) {
  const std::size_t tokens = 3 * length;
  const std::size_t half = head_size / 2;
  const Tables<Scalar, Space> tables(length, head_size, scaling);
  const auto x = random_matrix<Scalar, Space>(tokens, heads * head_size, 5);
  const auto before = to_host(x);
  rotary_embedding(Space(), tables.cosine, tables.sine, static_cast<int>(heads), x);
  const auto expected =
      make_matrix<double, Kokkos::HostSpace>(tokens, heads * head_size, [&](std::size_t i, std::size_t j) {
        const std::size_t c = j % head_size;
        const std::size_t pair = c % half;
        const double frequency = std::pow(theta, -2.0 * static_cast<double>(pair) / static_cast<double>(head_size));
        const double angle = static_cast<double>(i % length) * scale_frequency(scaling, frequency);
        const double a = static_cast<double>(before(i, j - c + pair));
        const double b = static_cast<double>(before(i, j - c + pair + half));
        return c < half ? a * std::cos(angle) - b * std::sin(angle) : b * std::cos(angle) + a * std::sin(angle);
      });
  EXPECT_TRUE(all_close(x, expected, relative, tolerance)) << head_size;
}

TYPED_TEST(RotaryEmbedding, AgreesWithDefinition) {
  agrees_with_definition<double, TypeParam>(9, 3, 14, 1e-13);
  agrees_with_definition<float, TypeParam>(9, 3, 14, 4e-7);
  agrees_with_definition<float, TypeParam>(300, 2, 64, 4e-7);
  agrees_with_definition<float, TypeParam>(1, 1, 2, 4e-7);
  agrees_with_definition<float, TypeParam>(5, 3, 24, 4e-7);
  // In float, and one rounding to 8 bits.
  for (const std::size_t head_size : {14, 16, 48, 64, 128})
    agrees_with_definition<BFloat16, TypeParam>(7, 5, head_size, 4e-7, {}, 0x1p-8);
}

// Test_RotaryScaling has the frequencies' own definition.
TYPED_TEST(RotaryEmbedding, TakesScaledFrequencies) {
  agrees_with_definition<double, TypeParam>(50, 2, 16, 1e-13, {RotaryScaling::Kind::linear, 4});
  agrees_with_definition<double, TypeParam>(50, 2, 16, 1e-13, {RotaryScaling::Kind::llama3, 8, 1, 4, 64});
}

TYPED_TEST(RotaryEmbedding, BackwardIsTheGradient) {
  const Tables<double, TypeParam> tables(4, 6);
  const auto x = random_matrix<double, TypeParam>(8, 12, 1);
  const auto y = random_matrix<double, TypeParam>(8, 12, 1);
  const auto weights = random_matrix<double, TypeParam>(8, 12, 2);
  const auto expected = central_differences(x, [&] {
    Kokkos::deep_copy(y, x);
    rotary_embedding(TypeParam(), tables.cosine, tables.sine, 2, y);
    return weighted_sum(y, weights);
  });
  rotary_embedding_backward(TypeParam(), tables.cosine, tables.sine, 2, weights);
  EXPECT_TRUE(all_close(weights, expected, 1e-8, 1e-8));
}

/// Queries and keys of a matrix with values beside them, which stay.
TYPED_TEST(RotaryEmbedding, TurnsARangeOfColumns) {
  const Tables<BFloat16, TypeParam> tables(4, 32);
  const auto packed = random_matrix<BFloat16, TypeParam>(9, 160, 1);
  const auto values = to_host(packed);
  const auto apart =
      make_matrix<BFloat16, TypeParam>(9, 128, [&](std::size_t i, std::size_t j) { return values(i, j); });
  rotary_embedding(TypeParam(), tables.cosine, tables.sine, 4,
                   Kokkos::subview(packed, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, 128)));
  rotary_embedding(TypeParam(), tables.cosine, tables.sine, 4, apart);
  const auto turned = to_host(apart);
  const auto expected = make_matrix<BFloat16, Kokkos::HostSpace>(
      9, 160, [&](std::size_t i, std::size_t j) { return j < 128 ? turned(i, j) : values(i, j); });
  EXPECT_TRUE(all_close(packed, expected, 0, 0));
}

TYPED_TEST(RotaryEmbedding, TurnsPacks) {
  const Tables<BFloat16, TypeParam> tables(4, 48);
  const auto by_pair = random_matrix<BFloat16, TypeParam>(9, 240, 1);
  const auto in_packs = random_matrix<BFloat16, TypeParam>(9, 240, 1);
  const auto alone = random_matrix<BFloat16, TypeParam>(9, 240, 1);
  rotary_embedding_backward(TypeParam(), tables.cosine, tables.sine, 5, by_pair);
  rotate_packed_pairs<8>("Sward::Test", TypeParam(), tables.cosine, tables.sine, in_packs, -1);
  rotate_packed_pairs<1>("Sward::Test", TypeParam(), tables.cosine, tables.sine, alone, -1);
  // Compilers may fuse a product and a sum here and not there: a tie may then go the other way.
  EXPECT_TRUE(all_close(in_packs, by_pair, 0x1p-7, 2e-7));
  EXPECT_TRUE(all_close(alone, by_pair, 0x1p-7, 2e-7));
}

TYPED_TEST(RotaryEmbedding, RefusesExtentsThatDoNotFit) {
  const Tables<float, TypeParam> tables(4, 6);
  const auto x = random_matrix<float, TypeParam>(8, 12, 1);
  EXPECT_THROW(rotary_embedding(TypeParam(), tables.cosine, tables.sine, 3, x), std::invalid_argument);
  EXPECT_THROW(rotary_embedding(TypeParam(), tables.cosine, Matrix<float, TypeParam>("sine", 4, 2), 2, x), ExtentError);
}

}  // namespace
