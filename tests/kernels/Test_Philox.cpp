#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_Philox.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

void expect_words(const RandomBits& bits, std::uint32_t w0, std::uint32_t w1, std::uint32_t w2, std::uint32_t w3) {
  EXPECT_EQ(bits.first, std::uint64_t(w1) << 32 | w0);
  EXPECT_EQ(bits.second, std::uint64_t(w3) << 32 | w2);
}

// The three answers that Random123 publishes for philox4x32 with 10 rounds: counter and key of zeros, of ones, and of
// digits of pi.
TEST(Philox, GivesTheKnownAnswers) {
  expect_words(random_bits(Draw{0, 0, 0}, 0), 0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U);
  const std::uint64_t ones = (std::uint64_t(1) << 48) - 1;
  expect_words(random_bits(Draw{~std::uint64_t(0), ones, ~std::uint32_t(0)}, ones), 0x408f276dU, 0x41c83b0eU,
               0xa20bc7c6U, 0x6d5451fdU);
  expect_words(random_bits(Draw{0x299f31d0a4093822U, 0x85a313198a2eU, 0x03707344U}, 0x08d3243f6a88U), 0xd16cfe09U,
               0x94fdccebU, 0x5001e420U, 0x24126ea1U);
}

TEST(Philox, EveryBitOfItsArgumentsMatters) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> words;
  const auto insert = [&](const Draw& draw, std::uint64_t index) {
    const RandomBits bits = random_bits(draw, index);
    words.emplace(bits.first, bits.second);
  };
  insert(Draw{0, 0, 0}, 0);
  for (int bit = 0; bit < 64; ++bit) insert(Draw{std::uint64_t(1) << bit, 0, 0}, 0);
  for (int bit = 0; bit < 48; ++bit) insert(Draw{0, std::uint64_t(1) << bit, 0}, 0);
  for (int bit = 0; bit < 32; ++bit) insert(Draw{0, 0, std::uint32_t(1) << bit}, 0);
  for (int bit = 0; bit < 48; ++bit) insert(Draw{0, 0, 0}, std::uint64_t(1) << bit);
  EXPECT_EQ(words.size(), 1U + 64 + 48 + 32 + 48);
}

TEST(ToOpenUnit, StaysInsideAndIsTheMiddleOfAPart) {
  EXPECT_EQ(to_open_unit(0), 0x1p-53);
  EXPECT_EQ(to_open_unit(~std::uint64_t(0)), 1 - 0x1p-53);
  EXPECT_EQ(to_open_unit(std::uint64_t(1) << 63), 0.5 + 0x1p-53);
  EXPECT_EQ(to_open_unit(std::uint64_t(3) << 12), 3.5 * 0x1p-52);
  EXPECT_EQ(to_open_unit(0xfff), to_open_unit(0));  // twelve bits are left out
}

constexpr Draw draw{17, 5, 3};
constexpr int count = 400000;

/// The mean of term(x) over uniform or normal numbers x must be `expected`; `variance` is that of one term.
template <class Number, class Term>
void expect_mean(const Number& number, const Term& term, double expected, double variance) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += term(number(static_cast<std::uint64_t>(i)));
  EXPECT_NEAR(sum / count, expected, 5 * std::sqrt(variance / count));
}

TEST(Uniform, HasItsMoments) {
  const auto number = [](std::uint64_t index) { return uniform_open(draw, index) - 0.5; };
  // Moments about the middle: the fourth is 1/80, the eighth 1/2304, odd ones vanish.
  expect_mean(
      number, [](double x) { return x; }, 0, 1.0 / 12);
  expect_mean(
      number, [](double x) { return x * x; }, 1.0 / 12, 1.0 / 80 - 1.0 / 144);
  expect_mean(
      number, [](double x) { return x * x * x * x; }, 1.0 / 80, 1.0 / 2304 - 1.0 / 6400);
}

TEST(Uniform, NeighboursAreNotCorrelated) {
  const auto number = [](std::uint64_t index) { return uniform_open(draw, index) - 0.5; };
  const auto product = [&](std::uint64_t index) { return number(index) * number(index + 1); };
  expect_mean(
      product, [](double x) { return x; }, 0, 1.0 / 144);
}

TEST(Normal, IsTheFormulaOfBoxAndMuller) {
  for (std::uint64_t index = 0; index < 1000; ++index) {
    const RandomBits bits = random_bits(draw, index);
    const auto radius = std::sqrt(-2 * std::log(static_cast<long double>(to_open_unit(bits.first))));
    const auto turn = std::acos(-1.0L) * 2 * static_cast<long double>(to_open_unit(bits.second));
    ASSERT_NEAR(normal(draw, index), static_cast<double>(radius * std::cos(turn)), 1e-14);  // radius below 9
  }
}

TEST(Normal, HasItsMoments) {
  const auto number = [](std::uint64_t index) { return normal(draw, index); };
  // Moments 1, 0, 3, 0, 15 and 105 for the powers 2, 3, 4, 5, 6 and 8.
  expect_mean(
      number, [](double x) { return x; }, 0, 1);
  expect_mean(
      number, [](double x) { return x * x; }, 1, 3 - 1);
  expect_mean(
      number, [](double x) { return x * x * x; }, 0, 15);
  expect_mean(
      number, [](double x) { return x * x * x * x; }, 3, 105 - 9);
}

TEST(Normal, HasItsDistribution) {
  const auto number = [](std::uint64_t index) { return normal(draw, index); };
  for (const double bound : {-2.5, -1.0, 0.0, 0.3, 2.0, 3.0}) {
    const double below = 0.5 * std::erfc(-bound / std::sqrt(2.0));
    expect_mean(
        number, [&](double x) { return x < bound ? 1.0 : 0.0; }, below, below * (1 - below));
  }
}

TEST(Normal, NeighboursAreNotCorrelated) {
  const auto product = [](std::uint64_t index) { return normal(draw, index) * normal(draw, index + 1); };
  expect_mean(
      product, [](double x) { return x; }, 0, 1);
}

template <class Space>
class PhiloxOnSpaces : public ::testing::Test {};
TYPED_TEST_SUITE(PhiloxOnSpaces, TestSpaces);

template <class Space, class Words, class Numbers>
void draw_numbers(const Words& first, const Words& second, const Numbers& uniform) {
  Kokkos::parallel_for(
      "draw_numbers", Kokkos::RangePolicy<Space>(0, first.extent(0)), KOKKOS_LAMBDA(const std::size_t i) {
        const Draw here{17, 5, 3};
        const RandomBits bits = random_bits(here, i << 25);
        first(i) = bits.first;
        second(i) = bits.second;
        uniform(i) = uniform_open(here, i << 25);
      });
}

TYPED_TEST(PhiloxOnSpaces, GiveTheSameNumbers) {
  const std::size_t extent = 5000;
  const auto first = poisoned_vector<std::uint64_t, TypeParam>(extent);
  const auto second = poisoned_vector<std::uint64_t, TypeParam>(extent);
  const auto uniform = poisoned_vector<double, TypeParam>(extent);
  draw_numbers<TypeParam>(first, second, uniform);
  const auto host_first = to_host(first), host_second = to_host(second);
  for (std::size_t i = 0; i < extent; ++i) {
    const RandomBits bits = random_bits(draw, i << 25);
    ASSERT_EQ(host_first(i), bits.first);
    ASSERT_EQ(host_second(i), bits.second);
  }
  EXPECT_TRUE(all_close(
      uniform,
      make_vector<double, Kokkos::HostSpace>(extent, [](std::size_t i) { return uniform_open(draw, i << 25); }), 0, 0));
}

}  // namespace
