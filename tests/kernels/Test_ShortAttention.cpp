#include <Kokkos_Core.hpp>

#ifdef KOKKOS_ENABLE_CUDA

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "Sward_BFloat16.hpp"
#include "Sward_ShortAttention.hpp"

namespace {

using Sward::BFloat16;
using Matrix = std::vector<double>;  // length x head_size

constexpr std::uint16_t poison = 0x7fc1;  // a NaN

template <class T>
class DeviceCopy {
 public:
  explicit DeviceCopy(const std::vector<T>& host) : count_(host.size()) {
    EXPECT_EQ(cudaMalloc(&data_, count_ * sizeof(T)), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(data_, host.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  DeviceCopy(const DeviceCopy&) = delete;
  DeviceCopy& operator=(const DeviceCopy&) = delete;
  ~DeviceCopy() { cudaFree(data_); }

  T* data() const { return static_cast<T*>(data_); }
  std::vector<T> host() const {
    std::vector<T> values(count_);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  void* data_ = nullptr;
  std::size_t count_;
};

std::vector<std::uint16_t> random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  std::vector<std::uint16_t> values(count);
  for (auto& value : values) value = BFloat16(normal(generator)).bits();
  return values;
}

/// Operands with rows longer than their columns, and the results of both functions.
struct AttentionRun {
  Sward::ShortAttentionShape shape;
  std::size_t tokens;
  std::vector<std::uint16_t> packed, output_gradient, output, packed_gradient;
  std::vector<float> cosine, sine, logsumexp;

  AttentionRun(int sequences, int length, int heads, int key_value_heads, int head_size)
      : tokens(static_cast<std::size_t>(sequences * length)) {
    const int columns = (heads + 2 * key_value_heads) * head_size;
    const int output_columns = heads * head_size;
    shape = {sequences,           length,       heads,
             key_value_heads,     head_size,    columns + 8,
             output_columns + 16, columns + 24, output_columns + 8};
    packed = random_values(tokens * static_cast<std::size_t>(shape.packed_stride), 1);
    output_gradient = random_values(tokens * static_cast<std::size_t>(shape.output_gradient_stride), 2);
    for (int t = 0; t < length; ++t)
      for (int i = 0; i < head_size / 2; ++i) {
        const double angle = t * std::pow(1e4, -2.0 * i / head_size);
        cosine.push_back(static_cast<float>(std::cos(angle)));
        sine.push_back(static_cast<float>(std::sin(angle)));
      }
    execute();
  }

  void execute() {
    const DeviceCopy x(packed), dy(output_gradient);
    const DeviceCopy c(cosine), s(sine);
    const DeviceCopy y(std::vector(tokens * static_cast<std::size_t>(shape.output_stride), poison));
    const DeviceCopy dx(std::vector(tokens * static_cast<std::size_t>(shape.packed_gradient_stride), poison));
    const DeviceCopy l(std::vector<float>(tokens * static_cast<std::size_t>(shape.heads), NAN));
    Sward::short_attention(nullptr, shape, x.data(), c.data(), s.data(), y.data(), l.data());
    Sward::short_attention_backward(nullptr, shape, x.data(), c.data(), s.data(), y.data(), l.data(), dy.data(),
                                    dx.data());
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    output = y.host();
    logsumexp = l.host();
    packed_gradient = dx.host();
  }

  Matrix columns(const std::vector<std::uint16_t>& values, std::int64_t stride, int sequence, int head) const {
    Matrix result;
    for (int t = 0; t < shape.length; ++t)
      for (int d = 0; d < shape.head_size; ++d) {
        const auto token = static_cast<std::size_t>(sequence * shape.length + t);
        const std::size_t column = static_cast<std::size_t>(head * shape.head_size + d);
        result.push_back(BFloat16::from_bits(values[token * static_cast<std::size_t>(stride) + column]));
      }
    return result;
  }

  Matrix rotated(Matrix x, double direction) const {
    const auto half = static_cast<std::size_t>(shape.head_size / 2);
    for (std::size_t t = 0; t < static_cast<std::size_t>(shape.length); ++t)
      for (std::size_t i = 0; i < half; ++i) {
        const double c = cosine[t * half + i], s = direction * sine[t * half + i];
        double& a = x[2 * t * half + i];
        double& b = x[2 * t * half + i + half];
        const double turned = a * c - b * s;
        b = b * c + a * s;
        a = turned;
      }
    return x;
  }
};

/// The largest of the relative errors by norm. q, k, the weights and the gradients of the scores are rounded to
/// bfloat16 (2^-9 relative at most, a third of it on average) before they are summed up, and the result once more:
/// a handful of such errors, independent of each other, is below 2^-7.
class RelativeErrors {
 public:
  static constexpr double bound = 0x1p-7;

  void add(const Matrix& expected, const Matrix& actual) {
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      difference += std::pow(expected[i] - actual[i], 2);
      norm += std::pow(expected[i], 2);
    }
    const double error = std::sqrt(difference / norm);
    if (!(error <= worst_)) worst_ = error;  // NaN stays
  }
  double worst() const { return worst_; }

 private:
  double worst_ = 0;
};

/// Gradients of one query head; those of its key and value are added to.
Matrix reference_head(const AttentionRun& run, const Matrix& q, const Matrix& k, const Matrix& v, const Matrix& dy,
                      Matrix& dk, Matrix& dv, Matrix& output, Matrix& logsumexp) {
  const auto length = static_cast<std::size_t>(run.shape.length);
  const auto size = static_cast<std::size_t>(run.shape.head_size);
  const double scale = 1 / std::sqrt(static_cast<double>(size));
  const auto dot = [&](const Matrix& x, std::size_t i, const Matrix& y, std::size_t j) {
    double sum = 0;
    for (std::size_t d = 0; d < size; ++d) sum += x[i * size + d] * y[j * size + d];
    return sum;
  };
  const auto add = [&](Matrix& x, std::size_t i, double factor, const Matrix& y, std::size_t j) {
    for (std::size_t d = 0; d < size; ++d) x[i * size + d] += factor * y[j * size + d];
  };
  Matrix dq(length * size);
  output.assign(length * size, 0);
  logsumexp.clear();
  for (std::size_t i = 0; i < length; ++i) {
    std::vector<double> weight(i + 1);
    double sum = 0;
    for (std::size_t j = 0; j <= i; ++j) sum += weight[j] = std::exp(scale * dot(q, i, k, j));
    logsumexp.push_back(std::log(sum));
    for (std::size_t j = 0; j <= i; ++j) add(output, i, weight[j] /= sum, v, j);
    const double delta = dot(dy, i, output, i);
    for (std::size_t j = 0; j <= i; ++j) {
      const double gradient = scale * weight[j] * (dot(dy, i, v, j) - delta);
      add(dq, i, gradient, k, j);
      add(dk, j, gradient, q, i);
      add(dv, j, weight[j], dy, i);
    }
  }
  return dq;
}

void expect_like_reference(const AttentionRun& run) {
  const auto& s = run.shape;
  RelativeErrors errors;
  for (int sequence = 0; sequence < s.sequences; ++sequence)
    for (int group = 0; group < s.key_value_heads; ++group) {
      const Matrix k = run.rotated(run.columns(run.packed, s.packed_stride, sequence, s.heads + group), 1);
      const Matrix v = run.columns(run.packed, s.packed_stride, sequence, s.heads + s.key_value_heads + group);
      Matrix dk(k.size()), dv(k.size()), output, logsumexp;
      const auto gradient = [&](int head) {
        return run.columns(run.packed_gradient, s.packed_gradient_stride, sequence, head);
      };
      const int members = s.heads / s.key_value_heads;
      for (int head = group * members; head < (group + 1) * members; ++head) {
        const Matrix q = run.rotated(run.columns(run.packed, s.packed_stride, sequence, head), 1);
        const Matrix dy = run.columns(run.output_gradient, s.output_gradient_stride, sequence, head);
        const Matrix dq = reference_head(run, q, k, v, dy, dk, dv, output, logsumexp);
        errors.add(output, run.columns(run.output, s.output_stride, sequence, head));
        Matrix found;
        for (int t = 0; t < s.length; ++t)
          found.push_back(run.logsumexp[static_cast<std::size_t>((sequence * s.length + t) * s.heads + head)]);
        errors.add(logsumexp, found);
        if (s.length > 1) errors.add(run.rotated(dq, -1), gradient(head));  // of one token they are 0
      }
      if (s.length > 1) errors.add(run.rotated(dk, -1), gradient(s.heads + group));
      errors.add(dv, gradient(s.heads + s.key_value_heads + group));
    }
  EXPECT_LE(errors.worst(), RelativeErrors::bound);
}

void expect_padding_untouched(const std::vector<std::uint16_t>& values, std::int64_t stride, std::int64_t columns) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (static_cast<std::int64_t>(i) % stride >= columns) ASSERT_EQ(values[i], poison) << "element " << i;
}

TEST(ShortAttention, is_the_definition_and_the_same_in_every_run) {
  for (const int head_size : {64, 128})
    for (const int length : {1, 7, 64, 100, 256, 512}) {
      if (head_size == 128 && length > 256) continue;
      for (const int key_value_heads : {4, 2, 1}) {
        SCOPED_TRACE(testing::Message() << length << " tokens, 4 heads over " << key_value_heads << " of "
                                        << head_size);
        AttentionRun run(2, length, 4, key_value_heads, head_size);
        expect_like_reference(run);
        expect_padding_untouched(run.output, run.shape.output_stride, 4 * head_size);
        expect_padding_untouched(run.packed_gradient, run.shape.packed_gradient_stride,
                                 (4 + 2 * key_value_heads) * head_size);
        const auto output = run.output;
        const auto gradient = run.packed_gradient;
        run.execute();
        EXPECT_EQ(output, run.output);
        EXPECT_EQ(gradient, run.packed_gradient);
      }
    }
}

TEST(ShortAttention, says_what_it_does_not_serve) {
  const Sward::ShortAttentionShape served{1, 256, 4, 2, 64, 512, 256, 512, 256};
  EXPECT_TRUE(Sward::short_attention_serves(served));
  auto shape = served;
  shape.length = 513;
  EXPECT_FALSE(Sward::short_attention_serves(shape));
  shape = served;
  shape.head_size = 96;
  EXPECT_FALSE(Sward::short_attention_serves(shape));
  shape = served;
  shape.packed_stride = 516;
  EXPECT_FALSE(Sward::short_attention_serves(shape));
  EXPECT_THROW(Sward::short_attention(nullptr, shape, nullptr, nullptr, nullptr, nullptr, nullptr), std::runtime_error);
}

}  // namespace

#endif
