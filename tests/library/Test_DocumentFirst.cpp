#include <gtest/gtest.h>

#include "Sward_DocumentFirst.hpp"

namespace Sward::Test {
namespace {

std::vector<std::int32_t> places(const std::vector<std::uint64_t>& starts, std::uint64_t offset, std::uint64_t count) {
  std::vector<std::int32_t> result{-7};
  append_document_first(starts, offset, count, result);
  EXPECT_EQ(result.front(), -7);
  return {result.begin() + 1, result.end()};
}

TEST(DocumentFirst, CountsFromTheFirstTokenAskedFor) {
  EXPECT_EQ(places({0, 3, 4, 8}, 0, 6), (std::vector<std::int32_t>{0, 0, 0, 3, 4, 4}));
  EXPECT_EQ(places({0, 3, 4, 8}, 3, 6), (std::vector<std::int32_t>{0, 1, 1, 1, 1, 5}));
  EXPECT_EQ(places({0, 3, 4, 8}, 9, 2), (std::vector<std::int32_t>{0, 0}));
}

TEST(DocumentFirst, EmptyDocumentsChangeNothing) {
  EXPECT_EQ(places({0, 2, 2, 3}, 0, 4), (std::vector<std::int32_t>{0, 0, 2, 3}));
}

}  // namespace
}  // namespace Sward::Test
