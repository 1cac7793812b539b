#include <gtest/gtest.h>

#include <cmath>

#include "Sward_AllClose.hpp"
#include "Sward_Embedding.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class Embedding : public ::testing::Test {};
TYPED_TEST_SUITE(Embedding, TestSpaces);

/// Many repeats of few tokens, so that one token's positions lie in several chunks; the last of the vocabulary is
/// there.
template <class Space>
Vector<int, Space> some_tokens(std::size_t count, std::size_t vocabulary) {
  return make_vector<int, Space>(
      count, [&](std::size_t i) { return static_cast<int>(i % 3 == 0 ? vocabulary - 1 : i * i * 7 % vocabulary); });
}

TYPED_TEST(Embedding, TakesTheRowsOfTheTable) {
  for (const std::size_t columns : {1, 33, 384}) {
    const std::size_t vocabulary = 97;
    const auto table = random_matrix<float, TypeParam>(vocabulary, columns, 1);
    const auto tokens = some_tokens<TypeParam>(50, vocabulary);
    const auto output = poisoned_matrix<float, TypeParam>(50, columns);
    embedding(TypeParam(), table, tokens, output);
    const auto rows = to_host(table);
    const auto t = to_host(tokens);
    const auto expected =
        make_matrix<float, Kokkos::HostSpace>(50, columns, [&](std::size_t i, std::size_t j) { return rows(t(i), j); });
    EXPECT_TRUE(all_close(output, expected, 0, 0));
  }
}

TYPED_TEST(Embedding, TokensOutsideGiveNaNAndChangeNothing) {
  const auto table = random_matrix<float, TypeParam>(10, 4, 1);
  const auto tokens = make_vector<int, TypeParam>(2, [](std::size_t i) { return i == 0 ? -1 : 10; });
  const auto output = make_matrix<float, TypeParam>(2, 4, [](auto, auto) { return 0; });
  embedding(TypeParam(), table, tokens, output);
  const auto values = to_host(output);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_TRUE(std::isnan(values.data()[i]));
  const Matrix<float, TypeParam> table_gradient("table_gradient", 10, 4), zero("zero", 10, 4);
  embedding_backward(TypeParam(), tokens, random_matrix<float, TypeParam>(2, 4, 2), table_gradient);
  EXPECT_TRUE(all_close(table_gradient, zero, 0, 0));
}

template <class Scalar, class Space>
void backward_adds_in_order(std::size_t count, std::size_t vocabulary, std::size_t columns) {
  const auto tokens = some_tokens<Space>(count, vocabulary);
  const auto above = random_matrix<Scalar, Space>(count, columns, 2);
  const auto table_gradient = random_matrix<Scalar, Space>(vocabulary, columns, 3);
  const auto expected = to_host(table_gradient);
  const auto t = to_host(tokens);
  const auto rows = to_host(above);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t j = 0; j < columns; ++j) expected(t(i), j) += rows(i, j);
  embedding_backward(Space(), tokens, above, table_gradient);
  EXPECT_TRUE(all_close(table_gradient, expected, 0, 0));
}

TYPED_TEST(Embedding, BackwardAddsEveryPositionInOrder) {
  backward_adds_in_order<float, TypeParam>(1, 97, 5);
  backward_adds_in_order<float, TypeParam>(700, 97, 33);
  backward_adds_in_order<double, TypeParam>(256, 11, 300);
}

TYPED_TEST(Embedding, RefusesExtentsThatDoNotFit) {
  const auto table = random_matrix<float, TypeParam>(10, 4, 1);
  const auto tokens = some_tokens<TypeParam>(6, 10);
  const Matrix<float, TypeParam> output("output", 6, 5);
  EXPECT_THROW(embedding(TypeParam(), table, tokens, output), ExtentError);
  EXPECT_THROW(embedding_backward(TypeParam(), tokens, output, table), ExtentError);
}

}  // namespace
