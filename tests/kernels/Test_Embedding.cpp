#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Embedding : public ::testing::Test {};
TYPED_TEST_SUITE(Embedding, TestSpaces);

/// Repeats of few tokens; the last of the vocabulary is there.
template <class Space>
Vector<int, Space> some_tokens(std::size_t count, std::size_t vocabulary) {
  return make_vector<int, Space>(
      count, [&](std::size_t i) { return static_cast<int>(i % 3 == 0 ? vocabulary - 1 : i * i * 7 % vocabulary); });
}

template <class Scalar, class Space>
void takes_the_rows(std::size_t columns) {
  const std::size_t vocabulary = 97;
  const auto table = random_matrix<Scalar, Space>(vocabulary, columns, 1);
  const auto tokens = some_tokens<Space>(50, vocabulary);
  const auto output = poisoned_matrix<Scalar, Space>(50, columns);
  embedding(Space(), table, tokens, output);
  const auto rows = to_host(table);
  const auto t = to_host(tokens);
  const auto expected =
      make_matrix<Scalar, Kokkos::HostSpace>(50, columns, [&](std::size_t i, std::size_t j) { return rows(t(i), j); });
  EXPECT_TRUE(all_close(output, expected, 0, 0));
}

TYPED_TEST(Embedding, TakesTheRowsOfTheTable) {
  for (const std::size_t columns : {1, 33, 384}) {
    takes_the_rows<float, TypeParam>(columns);
    takes_the_rows<BFloat16, TypeParam>(columns);
  }
}

TYPED_TEST(Embedding, TokensOutsideGiveNaN) {
  const auto table = random_matrix<float, TypeParam>(10, 4, 1);
  const auto tokens = make_vector<int, TypeParam>(2, [](std::size_t i) { return i == 0 ? -1 : 10; });
  const auto output = make_matrix<float, TypeParam>(2, 4, [](auto, auto) { return 0; });
  embedding(TypeParam(), table, tokens, output);
  const auto values = to_host(output);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_TRUE(std::isnan(values.data()[i]));
}

TYPED_TEST(Embedding, RefusesExtentsThatDoNotFit) {
  const auto table = random_matrix<float, TypeParam>(10, 4, 1);
  const auto tokens = some_tokens<TypeParam>(6, 10);
  const Matrix<float, TypeParam> output("output", 6, 5);
  EXPECT_THROW(embedding(TypeParam(), table, tokens, output), ExtentError);
}

}  // namespace
