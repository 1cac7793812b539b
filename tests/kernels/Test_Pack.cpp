#include <gtest/gtest.h>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_Pack.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class PackOf : public ::testing::Test {};
TYPED_TEST_SUITE(PackOf, TestSpaces);

template <int N, class Space, class From, class To>
void copy_in_packs(const From& from, const To& to) {
  const int packs = static_cast<int>(from.extent(1)) / N;
  Kokkos::parallel_for(
      "copy_in_packs", Kokkos::RangePolicy<Space>(0, static_cast<int>(from.extent(0)) * packs),
      KOKKOS_LAMBDA(const int i) {
        const auto pack = load_pack<N>(&from(i / packs, i % packs * N));
        store_pack(convert_pack<typename To::non_const_value_type>(pack), &to(i / packs, i % packs * N));
      });
}

template <class Scalar, int N, class Space>
void moves_every_element() {
  const auto from = random_matrix<Scalar, Space>(5, 48, 1);
  const auto to = poisoned_matrix<Scalar, Space>(5, 48);
  const auto wider = poisoned_matrix<double, Space>(5, 48);
  copy_in_packs<N, Space>(from, to);
  copy_in_packs<N, Space>(from, wider);
  EXPECT_TRUE(all_close(to, from, 0, 0));
  EXPECT_TRUE(all_close(wider, from, 0, 0));
}

TYPED_TEST(PackOf, MovesEveryElement) {
  moves_every_element<BFloat16, 8, TypeParam>();
  moves_every_element<BFloat16, 1, TypeParam>();
  moves_every_element<float, 4, TypeParam>();
  moves_every_element<float, 8, TypeParam>();
  moves_every_element<double, 2, TypeParam>();
}

TYPED_TEST(PackOf, ColumnsStartAndRowsHaveToBeAligned) {
  const Matrix<BFloat16, TypeParam> whole("whole", 4, 64), odd("odd", 4, 63), one_row("one_row", 1, 63);
  const auto columns = [](const auto& matrix, int begin, int end) {
    return Kokkos::subview(matrix, Kokkos::ALL, std::pair(begin, end));
  };
  EXPECT_TRUE(is_packable<8>(whole));
  EXPECT_TRUE(is_packable<8>(columns(whole, 8, 24)));
  EXPECT_FALSE(is_packable<8>(columns(whole, 4, 20)));  // start
  EXPECT_TRUE(is_packable<4>(columns(whole, 4, 20)));
  EXPECT_FALSE(is_packable<8>(columns(whole, 0, 12)));  // columns
  EXPECT_FALSE(is_packable<8>(columns(odd, 0, 16)));    // distance of rows
  EXPECT_TRUE(is_packable<8>(columns(one_row, 0, 16)));
  EXPECT_TRUE(is_packable<1>(odd));
  const auto down = Kokkos::subview(whole, Kokkos::ALL, 0);
  EXPECT_FALSE(is_packable<4>(down));  // neighbours lie a row apart
  EXPECT_TRUE(is_packable<8>(Kokkos::subview(whole, 1, Kokkos::ALL)));
}

}  // namespace
