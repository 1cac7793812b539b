#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "Sward_Attention.hpp"
#include "Sward_AttentionBackward.hpp"
#include "Sward_LaunchRecording.hpp"
#include "Sward_RandomViews.hpp"
#include "Sward_TestSpaces.hpp"

// cuDNN's attention beside the portable kernels in float on the host, on the same operands.

namespace Sward::Test {
namespace {

using Device = Kokkos::Cuda;
using Host = Kokkos::DefaultHostExecutionSpace;

/// A case: the shape, how many columns the packed rows have beyond queries, keys and values, and whose work it is.
struct Case {
  AttentionShape shape;
  int spare = 0;
  bool is_cudnn = true;

  std::size_t tokens() const { return static_cast<std::size_t>(shape.tokens()); }
  std::size_t heads() const { return static_cast<std::size_t>(shape.heads); }
  std::size_t query_columns() const { return static_cast<std::size_t>(shape.query_columns()); }
  std::size_t packed_columns() const {
    return static_cast<std::size_t>(shape.query_columns() + 2 * shape.key_value_columns() + spare);
  }
  std::string text() const {
    return std::to_string(shape.sequences) + " x " + std::to_string(shape.length) + " tokens, " +
           std::to_string(shape.heads) + "/" + std::to_string(shape.key_value_heads) + " heads of " +
           std::to_string(shape.head_size) + (shape.deterministic ? ", deterministic" : "");
  }
};

/// Queries, keys and values as columns of one matrix.
template <class Scalar, class Space>
struct PackedRows {
  AttentionShape shape;
  Matrix<Scalar, Space> matrix;

  auto query() const { return columns(0, shape.query_columns()); }
  auto key() const { return columns(shape.query_columns(), shape.key_value_columns()); }
  auto value() const { return columns(shape.query_columns() + shape.key_value_columns(), shape.key_value_columns()); }

 private:
  auto columns(int first, int count) const {
    return Kokkos::subview(matrix, Kokkos::ALL, std::pair(first, first + count));
  }
};

/// Queries and keys within 2, so that the weights of a row differ by several powers of e, and values within 1.
template <class Scalar, class Space>
PackedRows<Scalar, Space> random_rows(const Case& c) {
  UniformNumbers next(7, -1, 1);
  const int values = c.shape.query_columns() + c.shape.key_value_columns();
  return {c.shape, make_matrix<Scalar, Space>(c.tokens(), c.packed_columns(), [&](std::size_t, std::size_t j) {
            return next() * (static_cast<int>(j) < values ? 2 : 1);
          })};
}

/// A matrix on the host with the same numbers in float, which holds those of bfloat16 exactly.
template <class View>
Matrix<float, Host> in_float(const View& view) {
  const auto host = to_host(view);
  return make_matrix<float, Host>(host.extent(0), host.extent(1),
                                  [&](std::size_t i, std::size_t j) { return static_cast<float>(host(i, j)); });
}

/// Everything on the device in bfloat16.
struct DeviceAttention {
  Case c;
  PackedRows<BFloat16, Device> rows, gradients;
  Matrix<BFloat16, Device> output, above;
  Matrix<float, Device> logsumexp, delta;
  Kokkos::View<std::byte*, Kokkos::LayoutRight, Device> workspace;

  explicit DeviceAttention(const Case& problem)
      : c(problem),
        rows(random_rows<BFloat16, Device>(c)),
        gradients{c.shape, poisoned_matrix<BFloat16, Device>(c.tokens(), c.packed_columns())},
        output(poisoned_matrix<BFloat16, Device>(c.tokens(), c.query_columns())),
        above(random_matrix<BFloat16, Device>(c.tokens(), c.query_columns(), 4)),
        logsumexp(poisoned_matrix<float, Device>(c.tokens(), c.heads())),
        delta(poisoned_matrix<float, Device>(c.tokens(), c.heads())),
        workspace("workspace", attention_workspace_bytes<Device, BFloat16>(c.shape)) {}

  void forward(const Device& space) const {
    attention(space, c.shape, rows.query(), rows.key(), rows.value(), output, logsumexp, workspace);
  }
  void backward(const Device& space) const {
    attention_backward(space, c.shape, rows.query(), rows.key(), rows.value(), output, logsumexp, above, delta,
                       gradients.query(), gradients.key(), gradients.value(), workspace);
  }
};

/// The same on the host in float, its backward pass from the output that the device has stored.
struct HostAttention {
  PackedRows<float, Host> rows, gradients;
  Matrix<float, Host> output;

  explicit HostAttention(const DeviceAttention& device)
      : rows{device.c.shape, in_float(device.rows.matrix)},
        gradients{device.c.shape, Matrix<float, Host>("gradients", device.c.tokens(), device.c.packed_columns())},
        output("output", device.c.tokens(), device.c.query_columns()) {
    const Host space;
    const Case& c = device.c;
    const Matrix<float, Host> logsumexp("logsumexp", c.tokens(), c.heads());
    const Matrix<float, Host> delta("delta", c.tokens(), c.heads());
    attention(space, c.shape, rows.query(), rows.key(), rows.value(), output, logsumexp);
    attention_backward(space, c.shape, rows.query(), rows.key(), rows.value(), in_float(device.output), logsumexp,
                       in_float(device.above), delta, gradients.query(), gradients.key(), gradients.value());
    space.fence();
  }
};

/// Compares the parts of the rows that belong to one head, each by its length as a vector. Weights, slopes and, where
/// heads share keys, the gradients of each head are rounded to bfloat16, by up to 2^-8 of themselves, on their way into
/// a sum of such terms, and the sum once more: three errors that are independent of each other and so grow as the sum
/// itself does. The rest is float's: sums of products up to 2 x 2 x 128 to 2^-24, twice over.
template <class Actual, class Expected>
::testing::AssertionResult has_close_heads(const Actual& actual, const Expected& expected, int head_size) {
  const auto got = in_float(actual);
  double worst = 0;
  std::string where;
  for (std::size_t row = 0; row < got.extent(0); ++row)
    for (std::size_t begin = 0; begin < got.extent(1); begin += static_cast<std::size_t>(head_size)) {
      double difference = 0;
      double length = 0;
      for (std::size_t j = begin; j < begin + static_cast<std::size_t>(head_size); ++j) {
        difference += std::pow(static_cast<double>(got(row, j)) - static_cast<double>(expected(row, j)), 2);
        length += std::pow(static_cast<double>(expected(row, j)), 2);
      }
      const double excess = std::sqrt(difference) / (0x1p-6 * std::sqrt(length) + 1e-4);
      if (excess <= worst) continue;  // false for NaN, too
      worst = excess;
      where = "row " + std::to_string(row) + ", columns from " + std::to_string(begin);
      if (!(excess <= worst)) return ::testing::AssertionFailure() << "not a number in " << where;
    }
  if (worst <= 1) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << where << ": the difference is " << worst << " x the tolerance";
}

void agrees_with_host(const Case& c) {
  SCOPED_TRACE(c.text());
  const DeviceAttention device(c);
  const LaunchRecording recording;
  device.forward(Device());
  device.backward(Device());
  Kokkos::fence("Sward::Test");
  const std::vector<std::string> path{"Sward::attention::cudnn", "Sward::attention_backward::cudnn"};
  EXPECT_EQ(recording.regions(), c.is_cudnn ? path : std::vector<std::string>());
  const HostAttention host(device);
  EXPECT_TRUE(has_close_heads(device.output, host.output, c.shape.head_size));
  EXPECT_TRUE(has_close_heads(device.gradients.query(), host.gradients.query(), c.shape.head_size));
  EXPECT_TRUE(has_close_heads(device.gradients.key(), host.gradients.key(), c.shape.head_size));
  EXPECT_TRUE(has_close_heads(device.gradients.value(), host.gradients.value(), c.shape.head_size));
}

std::vector<Case> cudnn_cases(bool deterministic) {
  return {{{2, 7, 1, 1, 64, deterministic}},    {{2, 64, 32, 32, 64, deterministic}},
          {{3, 256, 4, 2, 64, deterministic}},  {{64, 256, 2, 2, 64, deterministic}},
          {{2, 300, 8, 2, 128, deterministic}}, {{2, 256, 16, 4, 48, deterministic}},
          {{1, 300, 3, 3, 48, deterministic}},  {{1, 2048, 8, 2, 64, deterministic}},
          {{1, 2048, 4, 4, 128, deterministic}}};
}

TEST(CudnnAttention, AgreesWithTheHost) {
  for (const bool deterministic : {true, false})
    for (const Case& c : cudnn_cases(deterministic)) agrees_with_host(c);
}

TEST(CudnnAttention, LeavesToThePortableKernelsWhatItCannotDo) {
  agrees_with_host({{3, 1, 2, 2, 64}, 0, false});
  agrees_with_host({{2, 50, 2, 1, 12}, 0, false});
  agrees_with_host({{2, 50, 2, 1, 64}, 4, false});
  agrees_with_host({{1, 40, 2, 1, 160}, 0, false});
}

std::vector<std::uint16_t> bits_of(const Matrix<BFloat16, Device>& matrix) {
  const auto host = to_host(matrix);
  std::vector<std::uint16_t> bits;
  for (std::size_t i = 0; i < host.size(); ++i) bits.push_back(host.data()[i].bits());
  return bits;
}

TEST(CudnnAttention, GivesTheSameBitsTwiceIfDeterministic) {
  for (const Case& c : {Case{{64, 256, 8, 8, 64}}, Case{{2, 2048, 8, 2, 64}}, Case{{2, 300, 8, 2, 128}}}) {
    SCOPED_TRACE(c.text());
    const DeviceAttention device(c);
    device.forward(Device());
    device.backward(Device());
    const auto output = bits_of(device.output);
    const auto gradients = bits_of(device.gradients.matrix);
    for (int again = 0; again < 5; ++again) {
      device.forward(Device());
      device.backward(Device());
      EXPECT_EQ(bits_of(device.output), output);
      EXPECT_EQ(bits_of(device.gradients.matrix), gradients);
    }
  }
}

TEST(CudnnAttention, WorksOnTheGivenInstanceWithoutAllocationOrFence) {
  const DeviceAttention device(Case{{2, 256, 4, 2, 64}});
  device.forward(Device());
  device.backward(Device());
  const auto expected = bits_of(device.gradients.matrix);
  Kokkos::deep_copy(device.gradients.matrix, BFloat16(0.0F));
  const Device instance = other_instance<Device>();
  {
    const LaunchRecording recording;
    device.forward(instance);
    device.backward(instance);
    EXPECT_TRUE(recording.allocations().empty());
    EXPECT_TRUE(recording.fences().empty());
    EXPECT_TRUE(recording.launches().empty()) << "a kernel of ours ran";
  }
  // Waits for this instance alone: what ran elsewhere may not be done.
  instance.fence("Sward::Test");
  EXPECT_EQ(bits_of(device.gradients.matrix), expected);
}

TEST(CudnnAttention, NamesTheWorkspaceThatItWants) {
  DeviceAttention device(Case{{2, 256, 4, 2, 64}});
  device.forward(Device());
  device.workspace = {};
  try {
    device.backward(Device());
    FAIL() << "no exception";
  } catch (const std::invalid_argument& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("the workspace has 0 bytes, wanted "), std::string::npos) << text;
    EXPECT_NE(text.find("2 sequences x 256 tokens, 4 heads (2 of keys and values) of 64"), std::string::npos) << text;
  }
  Kokkos::fence("Sward::Test");
}

TEST(CudnnAttention, RefusesGradientsInRowsOfAnotherAlignment) {
  const DeviceAttention device(Case{{2, 64, 2, 2, 64}});
  const PackedRows<BFloat16, Device> other{device.c.shape, Matrix<BFloat16, Device>("other", 128, 3 * 128 + 4)};
  device.forward(Device());
  EXPECT_THROW(attention_backward(Device(), device.c.shape, device.rows.query(), device.rows.key(), device.rows.value(),
                                  device.output, device.logsumexp, device.above, device.delta, other.query(),
                                  other.key(), other.value(), device.workspace),
               std::invalid_argument);
  Kokkos::fence("Sward::Test");
}

// What sward-plan takes where there is no device, beside what cuDNN says; the training shapes take no memory here.
TEST(CudnnAttention, NeedsNoMoreWorkspaceThanThePlanTakes) {
  for (const bool deterministic : {true, false}) {
    std::vector<Case> cases = cudnn_cases(deterministic);
    for (const AttentionShape& shape : {AttentionShape{64, 256, 32, 32, 64}, AttentionShape{8, 2048, 32, 32, 64},
                                        AttentionShape{4, 2048, 32, 32, 128}, AttentionShape{1, 256, 64, 64, 128},
                                        AttentionShape{2, 2048, 32, 8, 128}}) {
      cases.push_back({shape});
      cases.back().shape.deterministic = deterministic;
    }
    for (const Case& c : cases) {
      const std::size_t asked = attention_workspace_bytes<Device, BFloat16>(c.shape);
      const std::size_t bound = cudnn_workspace_bound(c.shape);
      EXPECT_LE(asked, bound) << c.text();
      std::cout << c.text() << ": workspace " << asked << " bytes, bound " << bound << ", forward alone "
                << attention_workspace_bytes<Device, BFloat16>(c.shape, false) << '\n';
    }
  }
}

}  // namespace
}  // namespace Sward::Test
