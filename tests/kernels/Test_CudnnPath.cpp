#include <gtest/gtest.h>

#include "Sward_CudnnPath.hpp"
#include "Sward_Views.hpp"

// What is asked of cuDNN, without cuDNN.

namespace Sward::Test {
namespace {

template <class T>
using HostMatrixOf = Matrix<T, Kokkos::Serial>;

/// The matrix of queries, keys and values side by side, `spare` columns wider.
struct Packed {
  AttentionShape shape;
  HostMatrixOf<BFloat16> matrix;
  HostMatrixOf<float> logsumexp;

  explicit Packed(const AttentionShape& s, int spare = 0)
      : shape(s),
        matrix("packed", static_cast<std::size_t>(s.tokens()),
               static_cast<std::size_t>(s.query_columns() + 2 * s.key_value_columns() + spare)),
        logsumexp("logsumexp", static_cast<std::size_t>(s.tokens()), static_cast<std::size_t>(s.heads)) {}

  auto columns(int first, int count) const {
    return Kokkos::subview(matrix, Kokkos::ALL, std::pair(first, first + count));
  }
  bool uses(int shift = 0) const {
    const int q = shape.query_columns();
    const int kv = shape.key_value_columns();
    return uses_cudnn(shape, WholeSequence{}, columns(shift, q), columns(shift + q, kv), columns(shift + q + kv, kv),
                      columns(0, q), logsumexp);
  }
};

TEST(CudnnPath, TakesPackedRowsOfBFloat16) {
  EXPECT_TRUE(Packed({2, 7, 4, 2, 64}).uses());
  EXPECT_TRUE(Packed({2, 7, 4, 2, 48}).uses());
  EXPECT_TRUE(Packed({1, 300, 4, 4, 128}).uses());
  EXPECT_TRUE(Packed({2, 7, 4, 2, 64}, 8).uses(8));
}

TEST(CudnnPath, LeavesTheRestToThePortableKernels) {
  EXPECT_FALSE(Packed({2, 1, 4, 2, 64}).uses()) << "single tokens";
  EXPECT_FALSE(Packed({0, 7, 4, 2, 64}).uses()) << "nothing";
  EXPECT_FALSE(Packed({2, 7, 4, 2, 12}).uses()) << "a head size that is no multiple of 8";
  EXPECT_FALSE(Packed({2, 7, 4, 2, 136}).uses()) << "large heads";
  EXPECT_FALSE(Packed({2, 7, 4, 2, 64}, 4).uses()) << "rows that are not a multiple of 16 bytes apart";
  EXPECT_FALSE(Packed({2, 7, 4, 2, 64}, 8).uses(4)) << "rows that do not start at a multiple of 16 bytes";
}

TEST(CudnnPath, LeavesOtherTypesAndDocumentsToThePortableKernels) {
  const Packed p({2, 7, 1, 1, 64});
  const auto q = p.columns(0, 64);
  const HostMatrixOf<float> single("single", 14, 64);
  const HostMatrixOf<double> wide("wide", 14, 1);
  const Vector<int, Kokkos::Serial> first_keys("first keys", 14);
  EXPECT_TRUE(uses_cudnn(p.shape, WholeSequence{}, q, q, q, q, p.logsumexp));
  EXPECT_FALSE(uses_cudnn(p.shape, first_keys, q, q, q, q, p.logsumexp));
  EXPECT_FALSE(uses_cudnn(p.shape, WholeSequence{}, single, q, q, q, p.logsumexp));
  EXPECT_FALSE(uses_cudnn(p.shape, WholeSequence{}, q, q, q, single, p.logsumexp));
  EXPECT_FALSE(uses_cudnn(p.shape, WholeSequence{}, q, q, q, q, wide));
}

TEST(CudnnPath, HostsNeedNoWorkspace) {
  EXPECT_EQ((attention_workspace_bytes<Kokkos::Serial, BFloat16>({64, 256, 32, 32, 64})), 0U);
}

}  // namespace
}  // namespace Sward::Test
