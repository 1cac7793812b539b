#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <utility>

#include "Sward_AllClose.hpp"
#include "Sward_BFloat16.hpp"
#include "Sward_EmbeddingBackward.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class EmbeddingBackward : public ::testing::Test {};
TYPED_TEST_SUITE(EmbeddingBackward, TestSpaces);

/// A third is the last of the vocabulary, every ninth lies outside of it, the others repeat a little.
template <class Space>
Vector<int, Space> some_tokens(std::size_t count, std::size_t vocabulary) {
  return make_vector<int, Space>(count, [&](std::size_t i) -> std::int64_t {
    if (i % 9 == 7) return i % 2 == 0 ? -1 : static_cast<std::int64_t>(vocabulary);
    return static_cast<std::int64_t>(i % 3 == 0 ? vocabulary - 1 : i * i * 7 % vocabulary);
  });
}

template <class Space>
Vector<int, Space> workspace_for(std::size_t count, std::size_t vocabulary) {
  return poisoned_vector<int, Space>(embedding_workspace_size(count, vocabulary));
}

template <class Scalar, class Space>
struct Gradients {
  std::size_t vocabulary;
  Vector<int, Space> tokens;
  Matrix<Scalar, Space> above;
  Matrix<Real<Scalar>, Space> table;
  Vector<int, Space> workspace;

  Gradients(std::size_t count, std::size_t vocabulary_size, std::size_t columns)
      : vocabulary(vocabulary_size),
        tokens(some_tokens<Space>(count, vocabulary)),
        above(random_matrix<Scalar, Space>(count, columns, 2)),
        table(random_matrix<Real<Scalar>, Space>(vocabulary, columns, 3)),
        workspace(workspace_for<Space>(count, vocabulary)) {}

  /// Position after position, in the type of the table.
  auto in_order() const {
    const auto expected = to_host(table);
    const auto t = to_host(tokens);
    const auto rows = to_host(above);
    for (std::size_t i = 0; i < t.extent(0); ++i)
      for (std::size_t j = 0; j < rows.extent(1); ++j)
        if (t(i) >= 0 && t(i) < static_cast<int>(vocabulary))
          expected(t(i), j) += static_cast<Real<Scalar>>(rows(i, j));
    return expected;
  }
  void backward() const { embedding_backward(Space(), tokens, above, workspace, table); }
};

/// Hosts add in order. GPUs deal a frequent token's terms (below 1) out: a rounding of the partial sum for each term.
template <class Scalar, class Space>
void adds_every_position(std::size_t count, std::size_t vocabulary, std::size_t columns) {
  const Gradients<Scalar, Space> gradients(count, vocabulary, columns);
  const auto expected = gradients.in_order();
  gradients.backward();
  const double largest = 4 * std::sqrt(static_cast<double>(count));
  const double tolerance = runs_on_host<Space> || count <= 32 ? 0 : static_cast<double>(count) * 6e-8 * largest;
  EXPECT_TRUE(all_close(gradients.table, expected, 0, tolerance)) << count << ", " << columns;
}

TYPED_TEST(EmbeddingBackward, AddsEveryPosition) {
  for (const std::size_t count : {1, 31, 700}) {
    adds_every_position<float, TypeParam>(count, 97, 33);
    adds_every_position<BFloat16, TypeParam>(count, 97, 384);
    adds_every_position<BFloat16, TypeParam>(count, 97, 5);
    adds_every_position<double, TypeParam>(count, 11, 300);
  }
  adds_every_position<BFloat16, TypeParam>(5000, 1000, 64);
}

TYPED_TEST(EmbeddingBackward, AddsOneTokenAlone) {
  const auto tokens = make_vector<int, TypeParam>(1000, [](auto) { return 4; });
  const auto above =
      make_matrix<BFloat16, TypeParam>(1000, 16, [](auto, std::size_t j) { return static_cast<double>(j + 1); });
  const Matrix<float, TypeParam> table("table", 6, 16);
  embedding_backward(TypeParam(), tokens, above, workspace_for<TypeParam>(1000, 6), table);
  const auto expected = make_matrix<float, Kokkos::HostSpace>(
      6, 16, [](std::size_t i, std::size_t j) { return i == 4 ? 1000 * (j + 1) : 0; });
  EXPECT_TRUE(all_close(table, expected, 0, 0));  // small integers
}

TYPED_TEST(EmbeddingBackward, HasTheSameBitsEveryTime) {
  const Gradients<BFloat16, TypeParam> first(4000, 50, 40);
  first.backward();
  for (int repetition = 0; repetition < 3; ++repetition) {
    const Gradients<BFloat16, TypeParam> again(4000, 50, 40);
    again.backward();
    EXPECT_TRUE(all_close(again.table, first.table, 0, 0));
  }
}

template <int N, class Scalar, class Space>
void sorted_gradients_agree(std::size_t count, std::size_t columns) {
  const Gradients<Scalar, Space> gradients(count, 23, columns);
  const auto expected = gradients.in_order();
  const auto sorted = sort_by_token(Space(), gradients.tokens, 23, gradients.workspace);
  add_sorted_gradients<N>(Space(), sorted, gradients.above, gradients.table);
  const double largest = 4 * std::sqrt(static_cast<double>(count));
  EXPECT_TRUE(all_close(gradients.table, expected, 0, static_cast<double>(count) * 6e-8 * largest)) << count;
}

TYPED_TEST(EmbeddingBackward, AddsSortedPositions) {
  for (const std::size_t count : {1, 40, 600}) {
    sorted_gradients_agree<8, BFloat16, TypeParam>(count, 400);
    sorted_gradients_agree<1, float, TypeParam>(count, 37);
  }
}

template <class Space>
void sorts_by_token_and_position(std::size_t count, std::size_t vocabulary) {
  const auto tokens = some_tokens<Space>(count, vocabulary);
  const auto sorted =
      sort_by_token(Space(), tokens, static_cast<int>(vocabulary), workspace_for<Space>(count, vocabulary));
  const auto t = to_host(tokens);
  const auto starts = to_host(sorted.starts);
  const auto order = to_host(sorted.order);
  std::size_t place = 0;
  for (std::size_t token = 0; token < vocabulary; ++token) {
    EXPECT_EQ(static_cast<std::size_t>(starts(token)), place) << token;
    for (std::size_t i = 0; i < count; ++i) {
      if (t(i) != static_cast<int>(token)) continue;
      EXPECT_EQ(static_cast<std::size_t>(order(place)), i) << token;
      ++place;
    }
  }
  EXPECT_EQ(static_cast<std::size_t>(starts(vocabulary)), place);
}

TYPED_TEST(EmbeddingBackward, SortsByTokenAndPosition) {
  sorts_by_token_and_position<TypeParam>(1, 5);
  sorts_by_token_and_position<TypeParam>(3000, 300);
}

TYPED_TEST(EmbeddingBackward, TokensOutsideChangeNothing) {
  const auto tokens = make_vector<int, TypeParam>(2, [](std::size_t i) { return i == 0 ? -1 : 10; });
  const Matrix<float, TypeParam> table_gradient("table_gradient", 10, 4), zero("zero", 10, 4);
  embedding_backward(TypeParam(), tokens, random_matrix<float, TypeParam>(2, 4, 2), workspace_for<TypeParam>(2, 10),
                     table_gradient);
  EXPECT_TRUE(all_close(table_gradient, zero, 0, 0));
}

TYPED_TEST(EmbeddingBackward, RefusesExtentsThatDoNotFit) {
  const Matrix<float, TypeParam> table("table", 10, 4), above("above", 6, 4), wider("wider", 6, 5);
  const auto tokens = some_tokens<TypeParam>(6, 10);
  EXPECT_THROW(embedding_backward(TypeParam(), tokens, wider, workspace_for<TypeParam>(6, 10), table), ExtentError);
  EXPECT_THROW(embedding_backward(TypeParam(), tokens, above, workspace_for<TypeParam>(5, 10), table), ExtentError);
}

}  // namespace
