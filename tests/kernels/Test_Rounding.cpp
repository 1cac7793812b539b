#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_Rounding.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class RoundingOfWeights : public ::testing::Test {};
TYPED_TEST_SUITE(RoundingOfWeights, TestSpaces);

constexpr Draw draw{3, 1000, 7};

/// The definition: 16 bits of the 128 of number i ceil(n / 8) + j / 8, counted from the lowest.
std::uint32_t expected_piece(std::size_t row, std::size_t column, std::size_t columns, std::size_t shift) {
  const RandomBits bits = random_bits(draw, row * ((columns + 7) / 8) + column / 8);
  const std::uint64_t words[2] = {bits.first, bits.second};
  const std::size_t bit = 16 * ((column + shift) % 8);
  return static_cast<std::uint32_t>(words[bit / 64] >> (bit % 64) & 0xffffU);
}

/// Stores a matrix of floats through store_weights, lane by lane, and through rounded_weight, one by one.
template <class Space, class Values, class Weight>
void store_all(const Values& values, const Rounding& rounding, const Weight& by_lanes, const Weight& one_by_one) {
  const int columns = static_cast<int>(values.extent(1));
  const bool in_packs = moves_in_packs<Space>(by_lanes);
  const auto policy = block_policy(Space(), static_cast<int>(values.extent(0)), block_threads<Space>(columns));
  using Member = typename Kokkos::TeamPolicy<Space>::member_type;
  Kokkos::parallel_for(
      "store", policy, KOKKOS_LAMBDA(const Member& team) {
        const int row = team.league_rank();
        for_each_block(team, columns, [&](const int block) {
          for_each_lane(team, row, block, columns, [&](const LanePiece& piece) {
            LaneValues<Space, Weight> lane;
            lane.attach(by_lanes, piece);
            PieceBits<Space> bits;
            bits.draw(rounding.draw, piece, columns);
            for_each_element<BlockLanes<Space>::width>(piece.count, [&](const int k) {
              lane[k] = values(row, piece.begin + k);
              const int column = piece.begin + k;
              one_by_one(row, column) = rounded_weight<typename Weight::non_const_value_type>(
                  rounding, lane[k], random_piece(rounding.draw, RoundedValue::weight, row, column, columns));
            });
            store_weights(by_lanes, piece, in_packs, rounding, bits, lane);
          });
        });
      });
}

/// A matrix that starts `offset` elements after an aligned address.
template <class T, class Space>
struct OffsetMatrix {
  Vector<T, Space> memory;
  Kokkos::View<T**, Kokkos::LayoutRight, Space, Kokkos::MemoryTraits<Kokkos::Unmanaged>> view;
  OffsetMatrix(std::size_t rows, std::size_t columns, std::size_t offset)
      : memory("memory", rows * columns + offset), view(memory.data() + offset, rows, columns) {}
};

template <class Space>
void rounds_as_defined(std::size_t rows, std::size_t columns, std::size_t offset) {
  const auto values = random_matrix<float, Space>(rows, columns, 4);
  const OffsetMatrix<BFloat16, Space> drawn(rows, columns, offset), drawn_singly(rows, columns, offset);
  const OffsetMatrix<BFloat16, Space> nearest(rows, columns, offset), nearest_singly(rows, columns, offset);
  store_all<Space>(values, Rounding{true, draw}, drawn.view, drawn_singly.view);
  store_all<Space>(values, Rounding{false, draw}, nearest.view, nearest_singly.view);
  const auto given = to_host(values);
  const auto by_draw = to_host(drawn.memory), by_draw_singly = to_host(drawn_singly.memory);
  const auto to_nearest = to_host(nearest.memory), to_nearest_singly = to_host(nearest_singly.memory);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const std::size_t element = offset + i * columns + j;
      const std::string where = std::to_string(i) + ", " + std::to_string(j) + " of " + std::to_string(columns);
      const BFloat16 expected = BFloat16::stochastic(given(i, j), expected_piece(i, j, columns, 0));
      ASSERT_EQ(by_draw(element).bits(), expected.bits()) << where;
      ASSERT_EQ(by_draw_singly(element).bits(), expected.bits()) << where;
      ASSERT_EQ(to_nearest(element).bits(), BFloat16(given(i, j)).bits()) << where;
      ASSERT_EQ(to_nearest_singly(element).bits(), BFloat16(given(i, j)).bits()) << where;
    }
}

TYPED_TEST(RoundingOfWeights, FollowsItsDefinition) {
  for (const std::size_t offset : {0, 1, 8}) {
    rounds_as_defined<TypeParam>(3, 264, offset);  // packs, a short last block
    rounds_as_defined<TypeParam>(2, 77, offset);   // rows that end within a number of the stream
    rounds_as_defined<TypeParam>(5, 1, offset);
  }
}

TYPED_TEST(RoundingOfWeights, LeavesFloatAndDoubleAlone) {
  const auto values = random_matrix<float, TypeParam>(2, 300, 4);
  const Matrix<float, TypeParam> floats("floats", 2, 300), more_floats("more floats", 2, 300);
  const Matrix<double, TypeParam> doubles("doubles", 2, 300), more_doubles("more doubles", 2, 300);
  store_all<TypeParam>(values, Rounding{true, draw}, floats, more_floats);
  store_all<TypeParam>(values, Rounding{true, draw}, doubles, more_doubles);
  EXPECT_TRUE(all_close(floats, values, 0, 0));
  EXPECT_TRUE(all_close(more_floats, values, 0, 0));
  EXPECT_TRUE(all_close(doubles, values, 0, 0));
  EXPECT_TRUE(all_close(more_doubles, values, 0, 0));
}

TEST(Rounding, CountsThePartsOfAMatrixAsTheWhole) {
  const LanePiece piece = PartPlace{48, 16, 37}.in_whole({3, 8, 5});
  EXPECT_EQ((std::vector<int>{piece.row, piece.begin, piece.count}), (std::vector<int>{51, 24, 5}));
}

TEST(Rounding, GivesTheValuesOfAnElementDifferentPieces) {
  for (int column = 0; column < 16; ++column) {
    const auto at = static_cast<std::size_t>(column);
    const auto piece = [&](RoundedValue value) { return random_piece(draw, value, 2, column, 13); };
    EXPECT_EQ(piece(RoundedValue::weight), expected_piece(2, at, 13, 0));
    EXPECT_EQ(piece(RoundedValue::first_moment), expected_piece(2, at, 13, 3));
    EXPECT_EQ(piece(RoundedValue::second_moment), expected_piece(2, at, 13, 5));
  }
  EXPECT_LT(stream_number(2147483647, 65535, 65536), std::uint64_t(1) << 48);  // what random_bits takes
}

}  // namespace
