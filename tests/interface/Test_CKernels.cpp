#include <gtest/gtest.h>

#include <cstring>

#include "Sward_CHandles.hpp"
#include "Sward_GrassUpdate.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_ProjectProduct.hpp"
#include "Sward_ProjectRows.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_SampleRows.hpp"
#include "Sward_SelectTopRows.hpp"
#include "Sward_SelectionMemory.hpp"

// Each kernel through the C interface next to the C++ call, to the same bits, in all types.

namespace Sward::Test {
namespace {

using Space = Kokkos::DefaultExecutionSpace;

constexpr std::size_t m = 21, n = 13, r = 5, tokens = 9;

/// Rows that are further apart than they are long.
template <class T>
auto random_strided(std::size_t rows, std::size_t columns, unsigned seed) {
  const Matrix<T, Space> memory = random_matrix<T, Space>(rows, columns + 3, seed);
  const Kokkos::View<T**, Kokkos::LayoutRight, Space> view =
      Kokkos::subview(memory, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, columns));
  return view;
}

template <class View>
auto copy_of(const View& view) {
  const Matrix<typename View::non_const_value_type, Space> memory("copy", view.extent(0), view.extent(1) + 3);
  const Kokkos::View<typename View::non_const_value_type**, Kokkos::LayoutRight, Space> copy =
      Kokkos::subview(memory, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, view.extent(1)));
  Kokkos::deep_copy(copy, view);
  return copy;
}

template <class View>
void expect_same_bits(const View& a, const View& b, const char* what) {
  const auto left = to_host(a);
  const auto right = to_host(b);
  EXPECT_EQ(std::memcmp(left.data(), right.data(), left.size() * sizeof(typename View::value_type)), 0) << what;
}

sward_selection c_selection(const SelectionMemory<Space>& memory) {
  return {memory.rows.data(), memory.scale.data(), static_cast<std::int64_t>(memory.rows.extent(0)),
          static_cast<std::int64_t>(memory.keys.extent(0)), memory.side == Side::rows ? SWARD_ROWS : SWARD_COLUMNS};
}

#define SWARD_OK(call) ASSERT_EQ(call, SWARD_SUCCESS) << sward_last_error()

template <class T>
class CKernels : public ::testing::Test {
 protected:
  CInstance instance;
  Space space;
};
using Types = ::testing::Types<float, double, BFloat16>;
TYPED_TEST_SUITE(CKernels, Types);

TYPED_TEST(CKernels, NormsAndSelections) {
  const auto values = random_strided<TypeParam>(m, n, 1);
  const sward_matrix c_values = c_matrix(values);
  for (const Side side : {Side::rows, Side::columns}) {
    const sward_side c_side = side == Side::rows ? SWARD_ROWS : SWARD_COLUMNS;
    const std::size_t extent = side == Side::rows ? m : n;
    const auto norms = poisoned_vector<double, Space>(extent);
    const auto c_norms = poisoned_vector<double, Space>(extent);
    row_norms(this->space, values, side, norms);
    SWARD_OK(sward_row_norms(this->instance, &c_values, c_side, c_norms.data(), static_cast<std::int64_t>(extent)));
    expect_same_bits(norms, c_norms, "norms");

    const std::size_t bytes = sward_selection_workspace_bytes(static_cast<std::int64_t>(extent));
    const Vector<std::uint64_t, Space> workspace("workspace", (bytes + 7) / 8);
    const SelectionMemory<Space> wanted(extent, r, side);
    const SelectionMemory<Space> got(extent, r, side);
    const sward_selection selection = c_selection(got);
    select_top_rows(this->space, norms, wanted.workspace(), wanted.selection());
    SWARD_OK(sward_select_top_rows(this->instance, norms.data(), workspace.data(), bytes, &selection));
    expect_same_bits(wanted.rows, got.rows, "top rows");
    expect_same_bits(wanted.scale, got.scale, "scale of top rows");
    const sward_draw draw{7, 3, 2};
    for (int scheme = SWARD_NORM; scheme <= SWARD_UNIFORM_REPLACEMENT; ++scheme) {
      sample_rows(this->space, static_cast<Selection>(scheme), norms, Draw{7, 3, 2}, wanted.workspace(),
                  wanted.selection());
      SWARD_OK(sward_sample_rows(this->instance, static_cast<sward_scheme>(scheme), norms.data(), &draw,
                                 workspace.data(), bytes, &selection));
      expect_same_bits(wanted.rows, got.rows, "sampled rows");
      expect_same_bits(wanted.scale, got.scale, "scale of sampled rows");
    }
  }
}

TYPED_TEST(CKernels, Projections) {
  using Result = Real<TypeParam>;
  const auto whole = random_strided<TypeParam>(m, n, 1);
  const auto output_gradient = random_strided<TypeParam>(tokens, m, 2);
  const auto input = random_strided<TypeParam>(tokens, n, 3);
  const sward_matrix c_whole = c_matrix(whole);
  const sward_matrix c_output = c_matrix(output_gradient);
  const sward_matrix c_input = c_matrix(input);
  for (const Side side : {Side::rows, Side::columns}) {
    const bool by_rows = side == Side::rows;
    const auto memory = given_selection<Space>({0, 2, 3, 9, 12}, std::vector<float>(r, 1.0F), by_rows ? m : n, side);
    const sward_selection selection = c_selection(memory);
    const std::size_t rows = by_rows ? r : m;
    const std::size_t columns = by_rows ? n : r;
    const auto wanted = random_strided<TypeParam>(rows, columns, 4);
    const auto got = copy_of(wanted);
    const sward_matrix c_got = c_matrix(got);
    project_rows(this->space, memory.selection(), whole, wanted);
    SWARD_OK(sward_project_rows(this->instance, &selection, &c_whole, &c_got));
    expect_same_bits(wanted, got, "projected");

    const auto gradient = random_strided<Result>(rows, columns, 5);
    const auto c_gradient = copy_of(gradient);
    const sward_matrix c_result = c_matrix(c_gradient);
    const Matrix<TypeParam, Space> gathered("gathered", tokens, r);
    const std::size_t bytes = sward_project_product_workspace_bytes(tokens, r, c_input.type);
    EXPECT_EQ(bytes, tokens * r * sizeof(TypeParam));
    project_product(this->space, memory.selection(), output_gradient, input, gathered, Result(0.5), gradient);
    SWARD_OK(
        sward_project_product(this->instance, &selection, &c_output, &c_input, gathered.data(), bytes, 0.5, &c_result));
    expect_same_bits(gradient, c_gradient, "product");
  }
}

TYPED_TEST(CKernels, MatrixProducts) {
  using Result = Real<TypeParam>;
  const auto tall = random_strided<TypeParam>(tokens, m, 1);
  const auto wide = random_strided<TypeParam>(n, tokens, 2);
  const sward_matrix a = c_matrix(tall);
  const sward_matrix b = c_matrix(wide);
  const auto wanted = random_strided<Result>(m, n, 3);
  const auto got = copy_of(wanted);
  const sward_matrix c = c_matrix(got);
  matrix_product(this->space, Transpose::yes, Transpose::yes, Result(2), tall, wide, Result(-1), wanted);
  SWARD_OK(sward_matrix_product(this->instance, SWARD_TRANSPOSE, SWARD_TRANSPOSE, 2, &a, &b, -1, &c));
  expect_same_bits(wanted, got, "both transposed");
  const auto square = random_strided<TypeParam>(n, m, 4);
  const auto small = copy_of(square);
  const sward_matrix s = c_matrix(small);
  matrix_product(this->space, Transpose::no, Transpose::no, Result(1), wide, tall, Result(0), square);
  SWARD_OK(sward_matrix_product(this->instance, SWARD_NO_TRANSPOSE, SWARD_NO_TRANSPOSE, 1, &b, &a, 0, &s));
  expect_same_bits(square, small, "none transposed");
}

/// Three updates of both, with moments in Element.
template <class T, class Element>
void compare_updates(const CInstance& instance, Side side) {
  const Space space;
  const bool by_rows = side == Side::rows;
  const auto memory = given_selection<Space>({1, 2, 2, 7, 11}, {1, 0.5, 2, 1, 1}, by_rows ? m : n, side);
  const sward_selection selection = c_selection(memory);
  const std::size_t rows = by_rows ? r : m;
  const std::size_t columns = by_rows ? n : r;
  const auto gradient = random_strided<Real<T>>(rows, columns, 1);
  const auto weight = random_strided<T>(m, n, 2);
  const auto c_weight = copy_of(weight);
  const Matrix<Element, Space> first("first", rows, columns), second("second", rows, columns);
  const Matrix<Element, Space> c_first("first", rows, columns), c_second("second", rows, columns);
  const sward_matrix g = c_matrix(gradient);
  const sward_matrix v1 = c_matrix(c_first);
  const sward_matrix v2 = c_matrix(c_second);
  const sward_matrix w = c_matrix(c_weight);
  for (int count = 1; count <= 3; ++count) {
    const auto step_number = static_cast<std::uint64_t>(count);
    const Rounding rounding{count > 1, Draw{3, step_number, 5}};
    const sward_rounding c_rounding{count > 1, {3, step_number, 5}};
    const sward_adam_step step{0.9, 0.99, 1e-8, count, 0.5};
    grass_update(space, memory.selection(), AdamStep{0.9, 0.99, 1e-8, count, 0.5}, 0.1, 0.01, rounding, gradient, first,
                 second, weight);
    SWARD_OK(sward_grass_update(instance, &selection, &step, 0.1, 0.01, &c_rounding, &g, &v1, &v2, &w));
    expect_same_bits(weight, c_weight, "weight");
    expect_same_bits(first, c_first, "first moment");
    expect_same_bits(second, c_second, "second moment");
  }
}

TYPED_TEST(CKernels, Updates) {
  for (const Side side : {Side::rows, Side::columns}) {
    compare_updates<TypeParam, Real<TypeParam>>(this->instance, side);
    if constexpr (!std::is_same_v<TypeParam, double>) compare_updates<TypeParam, BFloat16>(this->instance, side);
  }
}

}  // namespace
}  // namespace Sward::Test
