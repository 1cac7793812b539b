#include <gtest/gtest.h>

#include <limits>

#include "Sward_AllClose.hpp"
#include "Sward_CopyRows.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class CopyRows : public ::testing::Test {};
TYPED_TEST_SUITE(CopyRows, TestSpaces);

enum class Way { chosen, packs };

/// Row i from row 3i + 1 modulo the source's rows; every fourth from none.
template <class Space, class Source, class Target>
void copy_some(Way way, const Source& source, const Target& target) {
  const int rows = static_cast<int>(source.extent(0));
  const auto source_row = KOKKOS_LAMBDA(const int i) { return i % 4 == 2 ? -1 : (3 * i + 1) % rows; };
  if (way == Way::chosen) return copy_rows("Sward::Test", Space(), source, source_row, target);
  copy_packed_rows<8>("Sward::Test", Space(), source, source_row, target);
}

template <class From, class To, class Space>
void takes_the_rows(Way way, std::size_t columns, double tolerance) {
  const std::size_t rows = 37;
  const auto source = random_matrix<From, Space>(11, columns, 1);
  const auto target = make_matrix<To, Space>(rows, columns, [](auto, auto) { return 7.0; });
  copy_some<Space>(way, source, target);
  const auto from = to_host(source);
  const auto to = to_host(target);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < columns; ++j) {
      const auto value = static_cast<double>(to(i, j));
      if (i % 4 == 2) {
        ASSERT_TRUE(std::isnan(value)) << i << ", " << j;
      } else {
        const auto expected = static_cast<double>(from((3 * i + 1) % 11, j));
        ASSERT_LE(std::abs(value - expected), tolerance * std::abs(expected)) << i << ", " << j;
      }
    }
}

TYPED_TEST(CopyRows, TakesTheRowsAndMarksThoseOfNone) {
  for (const std::size_t columns : {1, 7, 16, 384, 700}) {
    takes_the_rows<float, float, TypeParam>(Way::chosen, columns, 0);
    takes_the_rows<BFloat16, BFloat16, TypeParam>(Way::chosen, columns, 0);
    takes_the_rows<BFloat16, float, TypeParam>(Way::chosen, columns, 0);
    takes_the_rows<double, BFloat16, TypeParam>(Way::chosen, columns, 0x1p-8);  // one rounding
  }
  takes_the_rows<BFloat16, BFloat16, TypeParam>(Way::packs, 384, 0);
  takes_the_rows<float, BFloat16, TypeParam>(Way::packs, 40, 0x1p-8);
}

}  // namespace
