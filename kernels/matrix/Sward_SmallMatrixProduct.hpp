#pragma once

#include <Kokkos_Core.hpp>
#include <cstddef>

#include "Sward_FileLocal.hpp"
#include "Sward_TeamChunks.hpp"

namespace Sward {

/// Whether a matrix enters a product as it is or transposed.
enum class Transpose { no, yes };

/// Products of at most this many multiply-adds are summed in double by a kernel of our own. A vendor's product would
/// gain less than a millisecond there, while rounding in its sums over tokens is most of the error of a small model's
/// gradients; and small models are what is compared with references in double precision.
inline constexpr std::size_t small_product_limit = std::size_t(1) << 22;

/// Element (row, column) of op(M).
template <class View>
struct ProductOperand {
  View view;
  bool transposed;
  KOKKOS_INLINE_FUNCTION double operator()(int row, int column) const {
    return static_cast<double>(transposed ? view(column, row) : view(row, column));
  }
};

/// C = alpha op(A) op(B) + beta C with sums in double, in an order that does not depend on the number of threads.
/// Extents are those of matrix_product, which checks them. Asynchronous on `space`.
template <class ExecutionSpace, class AView, class BView, class CView>
SWARD_FILE_LOCAL void small_matrix_product(const ExecutionSpace& space, Transpose transpose_a, Transpose transpose_b,
                                           double alpha, const AView& a, const BView& b, double beta, const CView& c) {
  using Scalar = typename CView::non_const_value_type;
  using Member = typename Kokkos::TeamPolicy<ExecutionSpace>::member_type;
  const ProductOperand<AView> left{a, transpose_a == Transpose::yes};
  const ProductOperand<BView> right{b, transpose_b == Transpose::yes};
  const int columns = static_cast<int>(c.extent(1));
  const int inner = static_cast<int>(a.extent(left.transposed ? 0 : 1));
  const auto store = KOKKOS_LAMBDA(const int i, const int j, const double sum) {
    c(i, j) = static_cast<Scalar>(alpha * sum + (beta == 0 ? 0.0 : beta * static_cast<double>(c(i, j))));
  };
  Kokkos::parallel_for(
      "Sward::matrix_product", row_policy(space, static_cast<int>(c.extent(0))), KOKKOS_LAMBDA(const Member& team) {
        const int i = team.league_rank();
        if (runs_on_host<ExecutionSpace> && right.transposed) {
          // Neighbours in memory lie along the sum.
          Kokkos::parallel_for(Kokkos::TeamVectorRange(team, columns), [&](const int j) {
            store(i, j,
                  join_lanes<32>(
                      0, inner, 0.0, [&](const int k) { return left(i, k) * right(k, j); },
                      [](const double x, const double y) { return x + y; }));
          });
          return;
        }
        constexpr int lanes = runs_on_host<ExecutionSpace> ? 32 : 1;
        Kokkos::parallel_for(Kokkos::TeamVectorRange(team, (columns + lanes - 1) / lanes), [&](const int piece) {
          const int first = piece * lanes;
          const int mine = columns - first < lanes ? columns - first : lanes;
          double sum[lanes] = {};
          for (int k = 0; k < inner; ++k) {
            const double factor = left(i, k);
            for (int lane = 0; lane < mine; ++lane) sum[lane] += factor * right(k, first + lane);
          }
          for (int lane = 0; lane < mine; ++lane) store(i, first + lane, sum[lane]);
        });
      });
}

}  // namespace Sward
