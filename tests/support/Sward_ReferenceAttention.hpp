#pragma once

#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include "Sward_AttentionShape.hpp"

namespace Sward::Test {

using HostMatrix = Kokkos::View<double**, Kokkos::LayoutRight, Kokkos::HostSpace>;

template <class View>
HostMatrix to_double(const View& view) {
  HostMatrix result("double", view.extent(0), view.extent(1));
  for (std::size_t i = 0; i < view.extent(0); ++i)
    for (std::size_t j = 0; j < view.extent(1); ++j) result(i, j) = static_cast<double>(view(i, j));
  return result;
}

/// Causal attention and its gradients from the definition, in double: the whole row of weights for every query. The
/// backward pass reads `output`, which a test may overwrite with what a kernel has stored, rounded.
struct ReferenceAttention {
  AttentionShape shape;
  std::vector<int> first_keys;  // by row, or empty
  HostMatrix query, key, value;
  HostMatrix output, logsumexp;

  ReferenceAttention(const AttentionShape& s, const HostMatrix& q, const HostMatrix& k, const HostMatrix& v,
                     std::vector<int> first = {})
      : shape(s),
        first_keys(std::move(first)),
        query(q),
        key(k),
        value(v),
        output("output", q.extent(0), q.extent(1)),
        logsumexp("logsumexp", q.extent(0), static_cast<std::size_t>(s.heads)) {
    for (int row = 0; row < shape.tokens(); ++row)
      for (int head = 0; head < shape.heads; ++head) forward(row, head);
  }

  struct Gradients {
    HostMatrix query, key, value;
  };

  Gradients backward(const HostMatrix& output_gradient) const {
    Gradients gradients{HostMatrix("query", query.extent(0), query.extent(1)),
                        HostMatrix("key", key.extent(0), key.extent(1)),
                        HostMatrix("value", value.extent(0), value.extent(1))};
    for (int row = 0; row < shape.tokens(); ++row)
      for (int head = 0; head < shape.heads; ++head) add_gradients(row, head, output_gradient, gradients);
    return gradients;
  }

 private:
  int first_key(int row) const {
    return row / shape.length * shape.length + (first_keys.empty() ? 0 : first_keys[static_cast<std::size_t>(row)]);
  }
  int key_column(int head) const { return head / (shape.heads / shape.key_value_heads) * shape.head_size; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(shape.head_size)); }

  std::vector<double> scores(int row, int head) const {
    std::vector<double> result;
    for (int j = first_key(row); j <= row; ++j) {
      double product = 0;
      for (int c = 0; c < shape.head_size; ++c)
        product += query(row, head * shape.head_size + c) * key(j, key_column(head) + c);
      result.push_back(product * scale());
    }
    return result;
  }

  void forward(int row, int head) {
    const std::vector<double> s = scores(row, head);
    double sum = 0;
    for (const double score : s) sum += std::exp(score);
    logsumexp(row, head) = std::log(sum);
    for (std::size_t j = 0; j < s.size(); ++j)
      for (int c = 0; c < shape.head_size; ++c)
        output(row, head * shape.head_size + c) +=
            std::exp(s[j]) / sum * value(first_key(row) + static_cast<int>(j), key_column(head) + c);
  }

  void add_gradients(int row, int head, const HostMatrix& output_gradient, const Gradients& gradients) const {
    const std::vector<double> s = scores(row, head);
    std::vector<double> weight, weight_gradient;
    for (std::size_t j = 0; j < s.size(); ++j) {
      weight.push_back(std::exp(s[j] - logsumexp(row, head)));
      double product = 0;
      for (int c = 0; c < shape.head_size; ++c)
        product += output_gradient(row, head * shape.head_size + c) *
                   value(first_key(row) + static_cast<int>(j), key_column(head) + c);
      weight_gradient.push_back(product);
    }
    double mean = 0;
    for (int c = head * shape.head_size; c < (head + 1) * shape.head_size; ++c)
      mean += output(row, c) * output_gradient(row, c);
    for (std::size_t j = 0; j < s.size(); ++j) {
      const int other = first_key(row) + static_cast<int>(j);
      const double slope = weight[j] * (weight_gradient[j] - mean) * scale();
      for (int c = 0; c < shape.head_size; ++c) {
        const int own = head * shape.head_size + c;
        const int shared = key_column(head) + c;
        gradients.value(other, shared) += weight[j] * output_gradient(row, own);
        gradients.query(row, own) += slope * key(other, shared);
        gradients.key(other, shared) += slope * query(row, own);
      }
    }
  }
};

/// Where the documents of a packed batch begin, for each token: cuts at random places, about one in `mean` tokens.
inline std::vector<int> random_first_keys(const AttentionShape& shape, int mean, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<int> result;
  for (int row = 0; row < shape.tokens(); ++row) {
    const int place = row % shape.length;
    if (place == 0)
      result.push_back(0);
    else
      result.push_back(engine() % static_cast<unsigned>(mean) == 0 ? place : result.back());
  }
  return result;
}

/// A device's copy of a list.
template <class Space>
Kokkos::View<int*, Kokkos::LayoutRight, Space> to_device_list(const std::vector<int>& values) {
  Kokkos::View<int*, Kokkos::LayoutRight, Space> list("list", values.size());
  const Kokkos::View<const int*, Kokkos::HostSpace, Kokkos::MemoryTraits<Kokkos::Unmanaged>> host(values.data(),
                                                                                                  values.size());
  Kokkos::deep_copy(list, host);
  return list;
}

}  // namespace Sward::Test
