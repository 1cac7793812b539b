#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_CentralDifferences.hpp"
#include "Sward_CrossEntropy.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class CrossEntropy : public ::testing::Test {};
TYPED_TEST_SUITE(CrossEntropy, TestSpaces);

/// Every fifth target is ignored.
template <class Space>
Vector<int, Space> some_targets(std::size_t rows, std::size_t vocabulary) {
  return make_vector<int, Space>(
      rows, [&](std::size_t i) { return i % 5 == 3 ? -1 : static_cast<int>((i * 37 + 11) % vocabulary); });
}

template <class Scalar, class Space>
void agrees_with_definition(std::size_t rows, std::size_t vocabulary, double tolerance, double rounding = 0) {
  const double scale = 0.25;
  const auto logits = random_matrix<Scalar, Space>(rows, vocabulary, 1, -20, 20);
  const auto targets = some_targets<Space>(rows, vocabulary);
  const auto forward_losses = poisoned_vector<Real<Scalar>, Space>(rows);
  const auto losses = poisoned_vector<Real<Scalar>, Space>(rows);
  const auto x = to_host(logits);
  const auto t = to_host(targets);
  cross_entropy(Space(), logits, targets, forward_losses);
  cross_entropy_backward(Space(), targets, scale, logits, losses);

  const auto logsumexp = make_vector<double, Kokkos::HostSpace>(rows, [&](std::size_t i) {
    double sum = 0;
    for (std::size_t j = 0; j < vocabulary; ++j) sum += std::exp(static_cast<double>(x(i, j)));
    return std::log(sum);
  });
  const auto expected_losses = make_vector<double, Kokkos::HostSpace>(
      rows, [&](std::size_t i) { return t(i) < 0 ? 0 : logsumexp(i) - static_cast<double>(x(i, t(i))); });
  const auto gradient = make_matrix<double, Kokkos::HostSpace>(rows, vocabulary, [&](std::size_t i, std::size_t j) {
    if (t(i) < 0) return 0.0;
    const double hit = static_cast<std::size_t>(t(i)) == j ? 1 : 0;
    return scale * (std::exp(static_cast<double>(x(i, j)) - logsumexp(i)) - hit);
  });
  EXPECT_TRUE(all_close(forward_losses, expected_losses, tolerance, 5 * tolerance));
  EXPECT_TRUE(all_close(losses, expected_losses, tolerance, 5 * tolerance));
  EXPECT_TRUE(all_close(logits, gradient, 20 * tolerance + rounding, tolerance)) << vocabulary;
}

TYPED_TEST(CrossEntropy, AgreesWithDefinition) {
  for (const std::size_t vocabulary : {1, 2, 97, 1024, 3001, 4096, 20000, 40000}) {
    agrees_with_definition<double, TypeParam>(7, vocabulary, 1e-13);
    agrees_with_definition<float, TypeParam>(7, vocabulary, 2e-7);
    // Sums and losses as in float; a gradient is rounded to 8 bits once.
    agrees_with_definition<BFloat16, TypeParam>(7, vocabulary, 2e-7, 0x1p-8);
  }
}

template <class Scalar, class Space, int N>
void held_in_registers(std::size_t vocabulary, double rounding) {
  const auto logits = random_matrix<Scalar, Space>(9, vocabulary, 1, -20, 20);
  const auto held = random_matrix<Scalar, Space>(9, vocabulary, 1, -20, 20);
  const auto targets = some_targets<Space>(9, vocabulary);
  const auto losses = poisoned_vector<Real<Scalar>, Space>(9), held_losses = poisoned_vector<Real<Scalar>, Space>(9);
  cross_entropy_backward(Space(), targets, 0.25, logits, losses);
  cross_entropy_in_registers<false, N, 2, 512>("Sward::Test", Space(), held, targets, 0.25, held_losses);
  EXPECT_TRUE(all_close(held_losses, losses, 2e-7, 1e-6));
  cross_entropy_in_registers<true, N, 2, 512>("Sward::Test", Space(), held, targets, 0.25, held_losses);
  EXPECT_TRUE(all_close(held_losses, losses, 2e-7, 1e-6));
  EXPECT_TRUE(all_close(held, logits, 4e-6 + rounding, 2e-7));
}

TYPED_TEST(CrossEntropy, HoldsRowsInRegisters) {
  constexpr std::size_t threads = runs_on_host<TypeParam> ? 1 : 512;
  held_in_registers<BFloat16, TypeParam, 8>(2 * 8 * threads, 0x1p-7);
  held_in_registers<BFloat16, TypeParam, 8>(8, 0x1p-7);
  held_in_registers<float, TypeParam, 4>(2 * 4 * threads, 0);
}

TYPED_TEST(CrossEntropy, BackwardIsTheGradient) {
  const double scale = 0.3;
  const auto logits = random_matrix<double, TypeParam>(6, 9, 4, -2, 2);
  const auto targets = some_targets<TypeParam>(6, 9);
  const auto losses = poisoned_vector<double, TypeParam>(6);
  const auto weights = make_vector<double, TypeParam>(6, [&](auto) { return scale; });
  const auto expected = central_differences(logits, [&] {
    cross_entropy(TypeParam(), logits, targets, losses);
    return weighted_sum(losses, weights);
  });
  cross_entropy_backward(TypeParam(), targets, scale, logits, losses);
  EXPECT_TRUE(all_close(logits, expected, 1e-7, 1e-8));
}

TYPED_TEST(CrossEntropy, LargeLogitsStayFinite) {
  const auto logits = make_matrix<float, TypeParam>(
      2, 40, [](std::size_t i, std::size_t j) { return (i == 0 ? 1e4 : -1e4) + (j == 7); });
  const auto targets = make_vector<int, TypeParam>(2, [](auto) { return 7; });
  const auto losses = poisoned_vector<float, TypeParam>(2);
  cross_entropy_backward(TypeParam(), targets, 1.0, logits, losses);
  const auto expected =
      make_vector<double, Kokkos::HostSpace>(2, [](auto) { return std::log(39 * std::exp(-1.0) + 1); });
  EXPECT_TRUE(all_close(losses, expected, 2e-7, 0));
}

TYPED_TEST(CrossEntropy, TargetBeyondTheVocabularyGivesNaN) {
  const auto logits = random_matrix<float, TypeParam>(1, 10, 4);
  const auto targets = make_vector<int, TypeParam>(1, [](auto) { return 10; });
  const auto losses = make_vector<float, TypeParam>(1, [](auto) { return 0; });
  cross_entropy(TypeParam(), logits, targets, losses);
  EXPECT_TRUE(std::isnan(to_host(losses)(0)));
  cross_entropy_backward(TypeParam(), targets, 1.0, logits, losses);
  EXPECT_TRUE(std::isnan(to_host(losses)(0)));
}

TYPED_TEST(CrossEntropy, NonFiniteLogitsGiveNonFiniteLosses) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const auto logits = make_matrix<float, TypeParam>(1, 50, [&](auto, std::size_t j) { return j == 20 ? bad : 0.5f; });
    const auto targets = make_vector<int, TypeParam>(1, [](auto) { return 3; });
    const auto losses = make_vector<float, TypeParam>(1, [](auto) { return 0; });
    cross_entropy_backward(TypeParam(), targets, 1.0, logits, losses);
    EXPECT_FALSE(std::isfinite(to_host(losses)(0)));
  }
}

TYPED_TEST(CrossEntropy, RefusesExtentsThatDoNotFit) {
  const auto logits = random_matrix<float, TypeParam>(3, 10, 4);
  const auto targets = some_targets<TypeParam>(3, 10);
  const Vector<float, TypeParam> losses("losses", 2);
  EXPECT_THROW(cross_entropy(TypeParam(), logits, targets, losses), ExtentError);
  EXPECT_THROW(cross_entropy_backward(TypeParam(), targets, 1.0, logits, losses), ExtentError);
}

}  // namespace
