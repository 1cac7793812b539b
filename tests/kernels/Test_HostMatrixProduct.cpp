#include <gtest/gtest.h>

#include <vector>

#include "Sward_HostMatrixProduct.hpp"
#include "Sward_TestSpaces.hpp"
#include "Sward_Views.hpp"

namespace Sward::Test {
namespace {

TEST(HostMatrixProduct, PiecesCoverTheResultOnce) {
  for (const int threads : {1, 2, 3, 4, 6, 7, 16})
    for (const int m : {1, 5, 16, 97, 1024})
      for (const int n : {1, 31, 300}) {
        const ProductGrid grid = product_grid(threads, m, n);
        ASSERT_EQ(grid.rows * grid.columns, threads);
        std::vector<int> visits(static_cast<std::size_t>(m * n), 0);
        for (int piece = 0; piece < threads; ++piece) {
          const ProductRange rows(m, grid.rows, piece / grid.columns);
          const ProductRange columns(n, grid.columns, piece % grid.columns);
          for (int i = rows.begin; i < rows.begin + rows.size; ++i)
            for (int j = columns.begin; j < columns.begin + columns.size; ++j)
              ++visits[static_cast<std::size_t>(i * n + j)];
        }
        EXPECT_EQ(visits, std::vector<int>(visits.size(), 1)) << threads << " pieces of " << m << " x " << n;
      }
}

TEST(HostMatrixProduct, CutsTheLongerSide) {
  EXPECT_EQ(product_grid(2, 2048, 384).rows, 2);
  EXPECT_EQ(product_grid(2, 384, 2048).columns, 2);
  EXPECT_EQ(product_grid(16, 512, 512).rows, 4);
}

TEST(HostMatrixProduct, IsTakenOnHostsWithBlas) {
#ifdef KOKKOS_ENABLE_CUDA
  EXPECT_FALSE(has_onednn) << "machines with GPUs need not have it";
#else
  EXPECT_TRUE(has_onednn) << "the tests are meant to run on the faster path";
#endif
  using Host = Kokkos::DefaultHostExecutionSpace;
  using Rows = Matrix<float, Host>;
  using Columns = Kokkos::View<float**, Kokkos::LayoutLeft, Host>;
  using ConstRows = Kokkos::View<const float**, Kokkos::LayoutRight, Host, Kokkos::MemoryTraits<Kokkos::Unmanaged>>;
  EXPECT_TRUE((uses_host_blas<Host, Rows, Rows, Rows>)) << "Kokkos Kernels was built without a BLAS";
  EXPECT_TRUE((uses_host_blas<Host, ConstRows, ConstRows, Rows>));
  EXPECT_FALSE((uses_host_blas<Host, Columns, Rows, Rows>));
}

}  // namespace
}  // namespace Sward::Test
