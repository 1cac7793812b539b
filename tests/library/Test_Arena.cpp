#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Kokkos_Core.hpp>
#include <cstdint>

#include "Sward_Arena.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;
using testing::HasSubstr;

/// Blocks of several types, odd sizes, and one without elements.
struct Blocks {
  explicit Blocks(Arena<Space>& arena)
      : bytes(arena.vector<std::uint8_t>("bytes", BlockKind::activation, 3)),
        doubles(arena.matrix<double>("doubles", BlockKind::weight, 5, 13)),
        none(arena.vector<float>("none", BlockKind::gradient, 0)),
        floats(arena.matrix<float>("floats", BlockKind::weight, 7, 9)),
        integers(arena.vector<int>("integers", BlockKind::workspace, 64)) {}

  Arena<Space>::VectorView<std::uint8_t> bytes;
  Arena<Space>::MatrixView<double> doubles;
  Arena<Space>::VectorView<float> none;
  Arena<Space>::MatrixView<float> floats;
  Arena<Space>::VectorView<int> integers;
};

TEST(Arena, holds_what_it_measured) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Blocks planned(plan);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes());
  const Blocks blocks(arena);
  EXPECT_EQ(arena.bytes(), plan.bytes());
  ASSERT_EQ(arena.blocks().size(), 5U);
  ASSERT_EQ(plan.blocks().size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(arena.blocks()[i].label, plan.blocks()[i].label);
    EXPECT_EQ(arena.blocks()[i].kind, plan.blocks()[i].kind);
    EXPECT_EQ(arena.blocks()[i].elements, plan.blocks()[i].elements);
    EXPECT_EQ(arena.blocks()[i].bytes, plan.blocks()[i].bytes);
  }
}

TEST(Arena, gives_the_same_extents_with_and_without_memory) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Blocks planned(plan);
  EXPECT_EQ(planned.doubles.data(), nullptr);
  EXPECT_EQ(planned.doubles.extent(0), 5U);
  EXPECT_EQ(planned.doubles.extent(1), 13U);
  EXPECT_EQ(planned.integers.extent(0), 64U);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes());
  const Blocks blocks(arena);
  EXPECT_NE(blocks.doubles.data(), nullptr);
  EXPECT_EQ(blocks.doubles.extent(0), 5U);
  EXPECT_EQ(blocks.doubles.extent(1), 13U);
  EXPECT_EQ(blocks.integers.extent(0), 64U);
}

TEST(Arena, aligns_every_block_and_keeps_them_apart) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Blocks planned(plan);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes());
  const Blocks blocks(arena);
  const auto address = [](const void* data) { return reinterpret_cast<std::uintptr_t>(data); };
  const std::uintptr_t begin = address(blocks.bytes.data());
  std::size_t used = 0;
  const void* const data[] = {blocks.bytes.data(), blocks.doubles.data(), blocks.none.data(), blocks.floats.data(),
                              blocks.integers.data()};
  const std::size_t sizes[] = {3, 5 * 13 * sizeof(double), 0, 7 * 9 * sizeof(float), 64 * sizeof(int)};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(address(data[i]) - begin, used) << i;
    EXPECT_EQ((address(data[i]) - begin) % 256, 0U) << i;
    EXPECT_GE(arena.blocks()[i].bytes, sizes[i]) << i;
    EXPECT_LT(arena.blocks()[i].bytes, sizes[i] + 256) << i;
    used += arena.blocks()[i].bytes;
  }
  EXPECT_EQ(used, arena.bytes());
}

TEST(Arena, values_of_one_block_stay_when_others_are_written) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Blocks planned(plan);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes());
  const Blocks blocks(arena);
  Kokkos::deep_copy(blocks.doubles, 1.5);
  Kokkos::deep_copy(blocks.bytes, std::uint8_t{255});
  Kokkos::deep_copy(blocks.floats, 2.5F);
  Kokkos::deep_copy(blocks.integers, -1);
  const auto doubles = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, blocks.doubles);
  const auto floats = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, blocks.floats);
  for (std::size_t i = 0; i < doubles.size(); ++i) EXPECT_EQ(doubles.data()[i], 1.5);
  for (std::size_t i = 0; i < floats.size(); ++i) EXPECT_EQ(floats.data()[i], 2.5F);
}

TEST(Arena, names_the_block_that_finds_no_room) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Blocks planned(plan);
  Arena<Space> arena = Arena<Space>::holding(plan.bytes() - 1);
  EXPECT_THAT(message_of<std::length_error>([&] { const Blocks blocks(arena); }), HasSubstr("'integers'"));
  EXPECT_EQ(arena.blocks().size(), 4U);
}

TEST(Arena, counts_bytes_by_kind) {
  Arena<Space> plan = Arena<Space>::measuring();
  const Blocks planned(plan);
  // 520 and 252 bytes, in multiples of 256.
  EXPECT_EQ(plan.bytes(BlockKind::weight), 768U + 256U);
  EXPECT_EQ(plan.bytes(BlockKind::activation), 256U);
  EXPECT_EQ(plan.bytes(BlockKind::workspace), 256U);
  EXPECT_EQ(plan.bytes(BlockKind::gradient), 0U);
  EXPECT_EQ(plan.bytes(BlockKind::optimizer_state), 0U);
  EXPECT_EQ(plan.bytes(), 768U + 3 * 256U);
}

}  // namespace
}  // namespace Sward::Test
