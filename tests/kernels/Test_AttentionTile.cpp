#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_AttentionTile.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class AttentionTiles : public ::testing::Test {};
TYPED_TEST_SUITE(AttentionTiles, TestSpaces);

constexpr int head_size = 19;
constexpr int column = 3;
constexpr int padded = 32;

/// Two teams, each of which loads the rows that it can of a matrix, in both forms, and multiplies them:
/// product(i, j) = sum_c row_i[c] * 2 row_j[c].
template <class Space, class Input, class Output>
void multiply_rows(const Input& input, const Output& rows, const Output& product) {
  using Tile = AttentionTile<Space, float>;
  constexpr int block = Tile::block;
  const int count = 2 * block * padded;
  const int level = Tile::level(count);
  const int tokens = static_cast<int>(input.extent(0));
  Kokkos::parallel_for(
      "multiply_rows", Tile::policy(Space(), 2, count), KOKKOS_LAMBDA(const typename Tile::Member& team) {
        const int first = team.league_rank() * block;
        const HeadRows<Input> source{input, first, Kokkos::min(block, tokens - first), column, head_size};
        float* const plain = Tile::scratch(team, level, count);
        float* const transposed = plain + block * padded;
        load_rows(team, source, block, padded, plain);
        load_transposed(team, source, 2.0f, block, padded, transposed);
        team.team_barrier();
        tile_product<Tile>(team, block, block, padded, TileFactor<float>{plain, padded, 1}, transposed,
                           [&](const int i, const int j, const float sum) { product(first + i, j) = sum; });
        Kokkos::parallel_for(Kokkos::TeamThreadRange(team, block), [&](const int i) {
          for (int c = 0; c < padded; ++c) rows(first + i, c) = plain[i * padded + c];
        });
      });
}

TYPED_TEST(AttentionTiles, LoadPadAndMultiply) {
  constexpr int block = AttentionTile<TypeParam, float>::block;
  constexpr std::size_t tokens = block + 5;
  const auto input = random_matrix<float, TypeParam>(tokens, column + head_size + 2, 1);
  const auto rows = poisoned_matrix<float, TypeParam>(2 * block, padded);
  const auto product = poisoned_matrix<float, TypeParam>(2 * block, block);
  multiply_rows<TypeParam>(input, rows, product);
  const auto x = to_host(input);
  const auto element = [&](std::size_t row, std::size_t c) {
    return row < tokens && c < head_size ? static_cast<double>(x(row, column + c)) : 0.0;
  };
  EXPECT_TRUE(all_close(rows, make_matrix<double, Kokkos::HostSpace>(2 * block, padded, element), 0, 0));
  const auto expected = make_matrix<double, Kokkos::HostSpace>(2 * block, block, [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t c = 0; c < head_size; ++c) sum += element(i, c) * 2 * element(i / block * block + j, c);
    return sum;
  });
  // head_size additions, each of which rounds a sum below 2 head_size to 2^-24 of itself.
  EXPECT_TRUE(all_close(product, expected, 0, head_size * 2.0 * head_size * 0x1p-24));
}

TYPED_TEST(AttentionTiles, SizesFitTogether) {
  using Tile = AttentionTile<TypeParam, float>;
  EXPECT_EQ(Tile::padded(16), 16);
  EXPECT_EQ(Tile::padded(17), 32);
  EXPECT_EQ(Tile::blocks(0), 0);
  EXPECT_EQ(Tile::blocks(Tile::block + 1), 2);
  EXPECT_EQ(Tile::block % Tile::stream, 0);
  EXPECT_EQ(Tile::stream % Tile::rows, 0);
  EXPECT_EQ(Tile::block % Tile::lanes, 0);
  EXPECT_EQ(16 % Tile::lanes, 0);
}

}  // namespace
