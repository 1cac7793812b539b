#include <gtest/gtest.h>

#include "Sward_AttentionShape.hpp"
#include "Sward_Views.hpp"

namespace {

using namespace Sward;

TEST(AttentionShape, CountsRowsAndColumns) {
  const AttentionShape shape{3, 100, 6, 2, 12};
  EXPECT_EQ(shape.tokens(), 300);
  EXPECT_EQ(shape.query_columns(), 72);
  EXPECT_EQ(shape.key_value_columns(), 24);
  EXPECT_EQ(shape.heads_per_group(), 3);
}

TEST(AttentionShape, RefusesImpossibleNumbers) {
  EXPECT_NO_THROW(check_attention_shape("test", {0, 1, 6, 2, 12}));
  EXPECT_THROW(check_attention_shape("test", {-1, 1, 6, 2, 12}), std::invalid_argument);
  EXPECT_THROW(check_attention_shape("test", {1, 1, 6, 4, 12}), std::invalid_argument);
  EXPECT_THROW(check_attention_shape("test", {1, 1, 0, 0, 12}), std::invalid_argument);
  EXPECT_THROW(check_attention_shape("test", {1, 1, 6, 2, 0}), std::invalid_argument);
}

TEST(AttentionShape, RefusesOperandsOfOtherExtents) {
  const AttentionShape shape{3, 100, 6, 2, 12};
  const Matrix<float, Kokkos::Serial> view("view", 300, 24);
  EXPECT_NO_THROW(require_token_rows("test", "key", view, shape, 24));
  EXPECT_THROW(require_token_rows("test", "query", view, shape, 72), ExtentError);
}

}  // namespace
