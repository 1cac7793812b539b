#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "Sward_AllClose.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

namespace {

using namespace Sward;
using namespace Sward::Test;

template <class Space>
class MatrixProduct : public ::testing::Test {};
TYPED_TEST_SUITE(MatrixProduct, TestSpaces);

struct Shape {
  std::size_t m, n, k;
};

struct Case {
  Transpose transpose_a, transpose_b;
  double alpha, beta;
};

using Cases = std::vector<Case>;

Cases all_cases() {
  Cases cases;
  for (const Transpose a : {Transpose::no, Transpose::yes})
    for (const Transpose b : {Transpose::no, Transpose::yes})
      for (const auto& [alpha, beta] : {std::pair{1.0, 0.0}, {-0.5, 1.0}, {2.0, -0.25}})
        cases.push_back({a, b, alpha, beta});
  return cases;
}

std::string text(const Case& given, const Shape& shape) {
  return std::string(given.transpose_a == Transpose::yes ? "T" : "N") +
         (given.transpose_b == Transpose::yes ? "T" : "N") + ", alpha " + std::to_string(given.alpha) + ", beta " +
         std::to_string(given.beta) + ", m n k " + extents_text({shape.m, shape.n, shape.k});
}

template <class Scalar, class Space>
Matrix<Scalar, Space> operand(Transpose transpose, std::size_t rows, std::size_t columns, std::uint64_t seed) {
  return transpose == Transpose::yes ? random_matrix<Scalar, Space>(columns, rows, seed)
                                     : random_matrix<Scalar, Space>(rows, columns, seed);
}

/// The product in double, and the largest sum of absolute values of terms, which bounds the rounding error.
struct Reference {
  Matrix<double, Kokkos::HostSpace> result;
  double magnitude = 0;

  template <class A, class B, class C>
  Reference(const Case& given, const Shape& shape, const A& a, const B& b, const C& c) {
    result = make_matrix<double, Kokkos::HostSpace>(shape.m, shape.n, [&](std::size_t i, std::size_t j) {
      double sum = 0, terms = 0;
      for (std::size_t l = 0; l < shape.k; ++l) {
        const auto left = static_cast<double>(given.transpose_a == Transpose::yes ? a(l, i) : a(i, l));
        const auto right = static_cast<double>(given.transpose_b == Transpose::yes ? b(j, l) : b(l, j));
        sum += given.alpha * left * right;
        terms += std::abs(given.alpha * left * right);
      }
      if (given.beta != 0) sum += given.beta * static_cast<double>(c(i, j));
      magnitude = std::max(magnitude, terms + std::abs(given.beta));
      return sum;
    });
  }
};

/// k + 2 roundings of partial sums that stay below the magnitude, whatever the order of addition.
template <class Scalar>
double tolerance(const Shape& shape, const Reference& reference) {
  const double epsilon = static_cast<double>(std::numeric_limits<Scalar>::epsilon()) / 2;
  return static_cast<double>(shape.k + 2) * epsilon * reference.magnitude;
}

template <class Scalar, class Space>
void agrees_with_definition(const Shape& shape, const Cases& cases) {
  for (const Case& given : cases) {
    const auto a = operand<Scalar, Space>(given.transpose_a, shape.m, shape.k, 1);
    const auto b = operand<Scalar, Space>(given.transpose_b, shape.k, shape.n, 2);
    const auto c = given.beta == 0 ? poisoned_matrix<Scalar, Space>(shape.m, shape.n)
                                   : random_matrix<Scalar, Space>(shape.m, shape.n, 3);
    const Reference reference(given, shape, to_host(a), to_host(b), to_host(c));
    matrix_product(Space(), given.transpose_a, given.transpose_b, static_cast<Scalar>(given.alpha), a, b,
                   static_cast<Scalar>(given.beta), c);
    EXPECT_TRUE(all_close(c, reference.result, 0, tolerance<Scalar>(shape, reference))) << text(given, shape);
  }
}

constexpr Shape shapes[] = {{1, 1, 1},  {2, 3, 4},  {1, 9, 5},  {9, 1, 5},   {1, 1, 40},
                            {7, 33, 1}, {33, 7, 1}, {33, 1, 1}, {20, 31, 64}};

TYPED_TEST(MatrixProduct, AgreesWithDefinition) {
  for (const Shape& shape : shapes) {
    agrees_with_definition<float, TypeParam>(shape, all_cases());
    agrees_with_definition<double, TypeParam>(shape, all_cases());
  }
}

/// A block inside of a larger matrix, neither at its top nor at its left.
template <class View>
auto block(const View& parent) {
  return Kokkos::subview(parent, std::pair<std::size_t, std::size_t>(2, parent.extent(0) - 1),
                         std::pair<std::size_t, std::size_t>(3, parent.extent(1) - 5));
}

/// A parent whose block has the given extents.
template <class Scalar, class Space>
Matrix<Scalar, Space> parent_of(Transpose transpose, std::size_t rows, std::size_t columns, std::uint64_t seed) {
  if (transpose == Transpose::yes) std::swap(rows, columns);
  return random_matrix<Scalar, Space>(rows + 3, columns + 8, seed);
}

template <class Scalar, class Space>
void agrees_within_larger_matrices(const Shape& shape, const Cases& cases) {
  for (const Case& given : cases) {
    const auto a = parent_of<Scalar, Space>(given.transpose_a, shape.m, shape.k, 1);
    const auto b = parent_of<Scalar, Space>(given.transpose_b, shape.k, shape.n, 2);
    const auto c = parent_of<Scalar, Space>(Transpose::no, shape.m, shape.n, 3);
    if (given.beta == 0) Kokkos::deep_copy(block(c), poison<Scalar>());
    const auto host_a = to_host(a), host_b = to_host(b), expected = to_host(c);
    const Reference reference(given, shape, block(host_a), block(host_b), block(expected));
    matrix_product(Space(), given.transpose_a, given.transpose_b, static_cast<Scalar>(given.alpha), block(a), block(b),
                   static_cast<Scalar>(given.beta), block(c));
    const auto result = to_host(c);
    const auto inside = make_matrix<Scalar, Kokkos::HostSpace>(
        shape.m, shape.n, [&](std::size_t i, std::size_t j) { return block(result)(i, j); });
    EXPECT_TRUE(all_close(inside, reference.result, 0, tolerance<Scalar>(shape, reference))) << text(given, shape);
    // Around the block nothing may have changed.
    Kokkos::deep_copy(block(result), Scalar(0));
    Kokkos::deep_copy(block(expected), Scalar(0));
    EXPECT_TRUE(all_close(result, expected, 0, 0)) << text(given, shape);
  }
}

TYPED_TEST(MatrixProduct, TakesRangesOfRowsAndColumns) {
  for (const Shape& shape : shapes) {
    agrees_within_larger_matrices<float, TypeParam>(shape, all_cases());
    agrees_within_larger_matrices<double, TypeParam>(shape, all_cases());
  }
}

/// Products in float that are too large for our own kernel.
TYPED_TEST(MatrixProduct, LargeOnesAgreeToo) {
  constexpr Transpose no = Transpose::no, yes = Transpose::yes;
  const Shape matrices{170, 160, 165}, one_column{2100, 1, 2050};
  ASSERT_GT(matrices.m * matrices.n * matrices.k, small_product_limit);
  ASSERT_GT(one_column.m * one_column.n * one_column.k, small_product_limit);
  const Cases transposed = {{no, no, 1.0, 0.0}, {no, yes, -0.5, 1.0}, {yes, no, 1.0, 0.0}, {yes, yes, 2.0, -0.25}};
  agrees_with_definition<float, TypeParam>(matrices, transposed);
  agrees_within_larger_matrices<float, TypeParam>(matrices, transposed);
  agrees_with_definition<float, TypeParam>(one_column, {{no, no, 1.0, 0.0}, {yes, no, -0.5, 1.0}});
  agrees_within_larger_matrices<float, TypeParam>(one_column, {{no, no, -0.5, 1.0}});
}

TYPED_TEST(MatrixProduct, WithoutTermsOnlyScales) {
  for (const Case& given : all_cases()) {
    const Shape shape{4, 6, 0};
    const bool a_is_transposed = given.transpose_a == Transpose::yes,
               b_is_transposed = given.transpose_b == Transpose::yes;
    const Matrix<float, TypeParam> a("a", a_is_transposed ? 0 : 4, a_is_transposed ? 4 : 0);
    const Matrix<float, TypeParam> b("b", b_is_transposed ? 6 : 0, b_is_transposed ? 0 : 6);
    const auto c = given.beta == 0 ? poisoned_matrix<float, TypeParam>(4, 6) : random_matrix<float, TypeParam>(4, 6, 3);
    const Reference reference(given, shape, to_host(a), to_host(b), to_host(c));
    matrix_product(TypeParam(), given.transpose_a, given.transpose_b, static_cast<float>(given.alpha), a, b,
                   static_cast<float>(given.beta), c);
    EXPECT_TRUE(all_close(c, reference.result, 0, 0)) << text(given, shape);  // beta is a power of two
  }
}

TYPED_TEST(MatrixProduct, OfNothingIsNothing) {
  const auto a = random_matrix<float, TypeParam>(4, 5, 1);
  const Matrix<float, TypeParam> no_columns("no_columns", 5, 0), result("result", 4, 0);
  EXPECT_NO_THROW(matrix_product(TypeParam(), Transpose::no, Transpose::no, 1.0F, a, no_columns, 0.0F, result));
  const Matrix<float, TypeParam> no_rows("no_rows", 0, 4), below("below", 0, 5);
  EXPECT_NO_THROW(matrix_product(TypeParam(), Transpose::no, Transpose::no, 1.0F, no_rows, a, 0.0F, below));
}

TYPED_TEST(MatrixProduct, RefusesExtentsThatDoNotFit) {
  const std::size_t m = 3, n = 4, k = 5;
  for (const Case& given : all_cases()) {
    const auto product = [&](const Shape& of_a, const Shape& of_b, const Shape& of_c) {
      const auto a = operand<float, TypeParam>(given.transpose_a, of_a.m, of_a.k, 1);
      const auto b = operand<float, TypeParam>(given.transpose_b, of_b.k, of_b.n, 2);
      const auto c = random_matrix<float, TypeParam>(of_c.m, of_c.n, 3);
      matrix_product(TypeParam(), given.transpose_a, given.transpose_b, 1.0F, a, b, 0.0F, c);
    };
    const Shape right{m, n, k};
    EXPECT_NO_THROW(product(right, right, right));
    EXPECT_THROW(product({m + 1, n, k}, right, right), ExtentError);
    EXPECT_THROW(product({m, n, k + 1}, right, right), ExtentError);
    EXPECT_THROW(product(right, {m, n + 1, k}, right), ExtentError);
    EXPECT_THROW(product(right, {m, n, k - 1}, right), ExtentError);
    EXPECT_THROW(product(right, right, {m - 1, n, k}), ExtentError);
    EXPECT_THROW(product(right, right, {m, n + 1, k}), ExtentError);
  }
}

}  // namespace
