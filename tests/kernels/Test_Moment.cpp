#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "Sward_AdamWUpdate.hpp"
#include "Sward_AllClose.hpp"
#include "Sward_Moment.hpp"
#include "Sward_OwnedMoment.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Moments : public ::testing::Test {};
TYPED_TEST_SUITE(Moments, TestSpaces);

constexpr Draw draw{5, 77, 2};

/// Stores values as a moment.
template <class Space, class Stored, class Values>
void store_all(const Stored& moment, const Draw& given_draw, const Values& values) {
  const int columns = static_cast<int>(values.extent(1));
  using Member = typename Kokkos::TeamPolicy<Space>::member_type;
  Kokkos::parallel_for(
      "store", block_policy(Space(), static_cast<int>(values.extent(0)), block_threads<Space>(columns)),
      KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_block(team, columns, [&](const int block) {
          typename Stored::Lane lane;
          PieceBits<Space> bits;
          for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
            moment.load(piece, lane);
            bits.draw(given_draw, piece, columns);
            lane.unpack(piece.count);
            for_each_element<BlockLanes<Space>::width>(piece.count,
                                                       [&](const int k) { lane[k] = values(row, piece.begin + k); });
          });
          moment.store(team, row, block, columns, bits, lane);
        });
      });
}

/// Reads what a moment keeps.
template <class Space, class Stored, class Kept>
void load_all(const Stored& moment, const Kept& kept) {
  const int columns = static_cast<int>(kept.extent(1));
  using Member = typename Kokkos::TeamPolicy<Space>::member_type;
  Kokkos::parallel_for(
      "load", block_policy(Space(), static_cast<int>(kept.extent(0)), block_threads<Space>(columns)),
      KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_block(team, columns, [&](const int block) {
          for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
            typename Stored::Lane lane;
            moment.load(piece, lane);
            lane.unpack(piece.count);
            for_each_element<BlockLanes<Space>::width>(piece.count,
                                                       [&](const int k) { kept(row, piece.begin + k) = lane[k]; });
          });
        });
      });
}

/// What is kept of values on a space.
template <MomentOrder order, class Element, class Space>
auto round_trip(const Matrix<float, Space>& values, const Draw& given_draw = draw) {
  const OwnedMoment<Element, Space> owned(values.extent(0), values.extent(1));
  const auto kept = poisoned_matrix<float, Space>(values.extent(0), values.extent(1));
  const Moment<order, Space, decltype(owned.storage)> moment(owned.storage);
  store_all<Space>(moment, given_draw, values);
  load_all<Space>(moment, kept);
  return to_host(kept);
}

/// Magnitudes over nine decades, in rows of different sizes; signs for first moments.
template <class Space>
Matrix<float, Space> wide_values(std::size_t rows, std::size_t columns, bool with_sign) {
  UniformNumbers next(3, -9, 0);
  return make_matrix<float, Space>(rows, columns, [&](std::size_t i, std::size_t j) {
    const double magnitude = std::pow(10.0, next() + 3.0 * static_cast<double>(i));
    return with_sign && j % 3 == 0 ? -magnitude : magnitude;
  });
}

TYPED_TEST(Moments, InFloatAreKeptExactly) {
  const auto values = wide_values<TypeParam>(3, 300, true);
  EXPECT_TRUE(all_close((round_trip<MomentOrder::first, float>(values)), values, 0, 0));
  EXPECT_TRUE(all_close((round_trip<MomentOrder::second, float>(values)), values, 0, 0));
}

TYPED_TEST(Moments, InTwoBytesAreRoundedWithTheirOwnBits) {
  for (const std::size_t columns : {264, 77}) {
    const auto values = wide_values<TypeParam>(3, columns, true);
    const auto given = to_host(values);
    const auto first = round_trip<MomentOrder::first, BFloat16>(values);
    const auto second = round_trip<MomentOrder::second, BFloat16>(values);
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = 0; j < columns; ++j) {
        const auto expected = [&](RoundedValue value) {
          const auto row = static_cast<int>(i), column = static_cast<int>(j);
          return BFloat16::stochastic(given(i, j), random_piece(draw, value, row, column, static_cast<int>(columns)));
        };
        ASSERT_EQ(first(i, j), expected(RoundedValue::first_moment)) << i << ", " << j;
        ASSERT_EQ(second(i, j), expected(RoundedValue::second_moment)) << i << ", " << j;
      }
  }
}

/// The mean over many draws against each value; a draw is off by less than relative |value| + absolute, so that its
/// standard deviation is at most half of that.
template <MomentOrder order, class Element>
void is_unbiased(double relative, double absolute) {
  constexpr std::size_t columns = 300;
  constexpr int draws = 4000;
  const auto values = wide_values<Kokkos::Serial>(1, columns, order == MomentOrder::first);
  const Matrix<double, Kokkos::HostSpace> mean("mean", 1, columns);
  for (int step = 0; step < draws; ++step) {
    const auto kept = round_trip<order, Element>(values, Draw{1, static_cast<std::uint64_t>(step), 0});
    for (std::size_t j = 0; j < columns; ++j) mean(0, j) += static_cast<double>(kept(0, j)) / draws;
  }
  const double deviation = 0.5 / std::sqrt(draws);
  EXPECT_TRUE(all_close(mean, values, 4.5 * deviation * relative, 4.5 * deviation * absolute));
}

TEST(MomentRounding, IsUnbiased) {
  // The largest value of both blocks is below 1; the smallest second moment is above what is raised to the least code.
  is_unbiased<MomentOrder::first, BFloat16>(0x1p-7, 0);
  is_unbiased<MomentOrder::second, BFloat16>(0x1p-7, 0);
  is_unbiased<MomentOrder::first, EightBits>(0.125, 0x1p-17 / 1.875);
  is_unbiased<MomentOrder::second, EightBits>(0.125, 0x1p-33 / 1.875);
}

template <MomentOrder order, class Space>
void is_within_its_bound(std::size_t rows, std::size_t columns, double unit) {
  const auto values = wide_values<Space>(rows, columns, order == MomentOrder::first);
  const auto given = to_host(values);
  const auto kept = round_trip<order, EightBits>(values);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t begin = 0; begin < columns; begin += 256) {
      const std::size_t end = std::min(columns, begin + 256);
      double largest = 0;
      for (std::size_t j = begin; j < end; ++j) largest = std::max(largest, std::abs(static_cast<double>(given(i, j))));
      for (std::size_t j = begin; j < end; ++j) {
        const auto value = static_cast<double>(given(i, j));
        const double error = std::abs(static_cast<double>(kept(i, j)) - value);
        // The scale, its inverse and two products round by 2^-24 each; the largest number is kept but for these.
        const double bound = std::abs(value) == largest ? 0 : std::max(std::abs(value) / 8, unit * largest);
        ASSERT_LE(error, bound + 4 * 0x1p-24 * std::abs(value))
            << value << " of " << largest << " at " << i << "," << j;
      }
    }
}

TYPED_TEST(Moments, InEightBitsAreWithinTheirBound) {
  for (const std::size_t columns : {1, 7, 256, 300, 520, 1000}) {
    is_within_its_bound<MomentOrder::first, TypeParam>(3, columns, 0x1p-17 / 1.875);
    is_within_its_bound<MomentOrder::second, TypeParam>(3, columns, 0x1p-33 / 1.875);
  }
}

TYPED_TEST(Moments, InEightBitsTakeAScaleForEachBlock) {
  // One large element makes its own block coarse and leaves the next one and the next row alone.
  const auto large_at = [](std::size_t i, std::size_t j) { return i == 0 && j == 3 ? 1e6 : 1.0; };
  const auto kept = round_trip<MomentOrder::first, EightBits>(make_matrix<float, TypeParam>(2, 512, large_at));
  EXPECT_NEAR(kept(0, 3), 1e6, 1);
  for (std::size_t j = 256; j < 512; ++j) EXPECT_NEAR(kept(0, j), 1, 1e-6);
  for (std::size_t j = 0; j < 512; ++j) EXPECT_NEAR(kept(1, j), 1, 1e-6);
  EXPECT_GT(std::abs(kept(0, 4) - 1), 1e-3);
}

TYPED_TEST(Moments, ThatAreZeroStayZeroAndSecondOnesThatAreNotDoNotBecomeIt) {
  const auto zeros = make_matrix<float, TypeParam>(2, 300, [](auto, auto) { return 0; });
  EXPECT_TRUE(all_close((round_trip<MomentOrder::first, EightBits>(zeros)), zeros, 0, 0));
  EXPECT_TRUE(all_close((round_trip<MomentOrder::second, EightBits>(zeros)), zeros, 0, 0));
  const auto values = make_matrix<float, TypeParam>(
      1, 256, [](auto, std::size_t j) { return j == 0 ? 1.0 : (j % 2 == 0 ? 1e-18 : 0.0); });
  const auto kept = round_trip<MomentOrder::second, EightBits>(values);
  for (std::size_t j = 1; j < 256; ++j) EXPECT_EQ(kept(0, j), j % 2 == 0 ? 0x1p-33F * (1 / 1.875F) : 0.0F) << j;
}

TYPED_TEST(Moments, OfMemoryThatIsZeroAreZero) {
  const OwnedMoment<EightBits, TypeParam> owned(2, 300);
  const auto kept = poisoned_matrix<float, TypeParam>(2, 300);
  const Moment<MomentOrder::second, TypeParam, MomentCodes<TypeParam>> moment(owned.storage);
  EXPECT_EQ(owned.storage.extent(0), 2U);
  EXPECT_EQ(owned.storage.extent(1), 300U);
  load_all<TypeParam>(moment, kept);
  EXPECT_TRUE(all_close(kept, Matrix<float, Kokkos::HostSpace>("zeros", 2, 300), 0, 0));
}

TYPED_TEST(Moments, InEightBitsShowWhatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const auto values = make_matrix<float, TypeParam>(1, 300, [&](auto, std::size_t j) { return j == 5 ? bad : 1.0F; });
    EXPECT_FALSE(std::isfinite((round_trip<MomentOrder::first, EightBits>(values)(0, 5))));
    EXPECT_FALSE(std::isfinite((round_trip<MomentOrder::second, EightBits>(values)(0, 5))));
  }
}

TYPED_TEST(Moments, InEightBitsAreTheSameOnEverySpace) {
  for (const std::size_t columns : {512, 77}) {
    const auto here = wide_values<TypeParam>(3, columns, true);
    const auto there = wide_values<Kokkos::Serial>(3, columns, true);
    EXPECT_TRUE(all_close((round_trip<MomentOrder::first, EightBits>(here)),
                          (round_trip<MomentOrder::first, EightBits>(there)), 0, 0));
  }
}

/// Loss of 500 updates of AdamW on sum of c (w - target)² / 2 with noisy gradients, c over three decades, from w = 0.
template <class Element>
double loss_after_training() {
  using Space = Kokkos::Serial;
  constexpr std::size_t rows = 3, columns = 700;
  const auto target = random_matrix<float, Space>(rows, columns, 1);
  const auto curvature = random_matrix<float, Space>(rows, columns, 2, -3, 0);
  const Matrix<float, Space> weight("weight", rows, columns), gradient("gradient", rows, columns);
  const OwnedMoment<Element, Space> first(rows, columns), second(rows, columns);
  UniformNumbers noise(4, -0.5, 0.5);
  for (std::int64_t count = 1; count <= 500; ++count) {
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j)
        gradient(i, j) = static_cast<float>(std::pow(10.0, static_cast<double>(curvature(i, j))) *
                                            (static_cast<double>(weight(i, j) - target(i, j)) + noise()));
    const double rate = 0.03 * (1 - static_cast<double>(count) / 500);
    adamw_update(Space(), AdamStep{0.9, 0.999, 1e-8, count}, rate, 0.0,
                 Rounding{false, Draw{1, static_cast<std::uint64_t>(count), 0}}, gradient, first.storage,
                 second.storage, weight);
  }
  double loss = 0;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j)
      loss += std::pow(static_cast<double>(weight(i, j) - target(i, j)), 2) / (rows * columns);
  return loss;
}

TEST(MomentPrecision, HardlyChangesWhereTrainingEnds) {
  const double in_float = loss_after_training<float>();
  const double in_two_bytes = loss_after_training<BFloat16>();
  const double in_eight_bits = loss_after_training<EightBits>();
  EXPECT_LT(in_float, 0.01);  // from 1/3
  EXPECT_NEAR(in_two_bytes, in_float, 0.1 * in_float);
  EXPECT_NEAR(in_eight_bits, in_float, 0.1 * in_float);
}

}  // namespace
