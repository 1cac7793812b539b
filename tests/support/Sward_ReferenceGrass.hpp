#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace Sward::Test {

/// A matrix in double, row-major, for references written in plain loops.
struct Dense {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;
  Dense() = default;
  Dense(std::size_t m, std::size_t n) : rows(m), columns(n), values(m * n, 0.0) {}
  double& operator()(std::size_t i, std::size_t j) { return values[i * columns + j]; }
  double operator()(std::size_t i, std::size_t j) const { return values[i * columns + j]; }
};

/// G = dYᵀX.
inline Dense product_of_factors(const Dense& output_gradient, const Dense& input) {
  Dense gradient(output_gradient.columns, input.columns);
  for (std::size_t t = 0; t < input.rows; ++t)
    for (std::size_t i = 0; i < gradient.rows; ++i)
      for (std::size_t j = 0; j < gradient.columns; ++j) gradient(i, j) += output_gradient(t, i) * input(t, j);
  return gradient;
}

inline void add_to(Dense& sum, const Dense& other) {
  for (std::size_t i = 0; i < sum.values.size(); ++i) sum.values[i] += other.values[i];
}

struct ReferenceOptions {
  bool projected = true;
  std::size_t rank = 0;
  long refresh_interval = 1;
  long refresh_warmup = 0;
  double scale = 0.25;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;
  bool keep_moments = false;  ///< of rows that stay selected, each with a count of its own
};

/// Grass with top-r, or AdamW in full, on one matrix as GRASS.md states them: whole gradients, plain loops, double.
class ReferenceParameter {
 public:
  ReferenceParameter(Dense weight, const ReferenceOptions& options) : weight_(std::move(weight)), options_(options) {
    columns_side_ = options.projected && weight_.rows > weight_.columns;
  }

  /// Whole gradients of the micro-batches of an update, each already summed over ranks; the first chooses the rows.
  Dense gather(long step, const std::vector<Dense>& micro_gradients) {
    if (options_.projected && step % options_.refresh_interval == 0) choose(micro_gradients[0]);
    if (!options_.projected && step == 0) all_rows();
    Dense sum = micro_gradients[0];
    for (std::size_t i = 1; i < micro_gradients.size(); ++i) add_to(sum, micro_gradients[i]);
    Dense compressed(rows_.size(), other_extent());
    for (std::size_t k = 0; k < rows_.size(); ++k)
      for (std::size_t j = 0; j < other_extent(); ++j) compressed(k, j) = entry(sum, rows_[k], j);
    return compressed;
  }

  void update(long step, const Dense& compressed, double learning_rate, double gradient_scale) {
    for (std::size_t k = 0; k < rows_.size(); ++k) {
      const int count = ++counts_[k];
      const double age = options_.keep_moments ? count : static_cast<double>(step % options_.refresh_interval + 1);
      double factor = learning_rate;
      if (options_.projected) factor *= options_.scale;
      if (options_.projected && options_.refresh_warmup > 0)
        factor *= std::min(1.0, age / static_cast<double>(options_.refresh_warmup));
      // Kept moments are corrected after ε was added, all the others before.
      const double correction2 = 1 / (1 - std::pow(options_.beta2, count));
      const double epsilon = options_.epsilon * (options_.keep_moments ? std::sqrt(correction2) : 1.0);
      for (std::size_t j = 0; j < other_extent(); ++j) {
        const double g = gradient_scale * compressed(k, j);
        first_(k, j) = options_.beta1 * first_(k, j) + (1 - options_.beta1) * g;
        second_(k, j) = options_.beta2 * second_(k, j) + (1 - options_.beta2) * g * g;
        const double m = first_(k, j) / (1 - std::pow(options_.beta1, count));
        const double v = second_(k, j) * correction2;
        double& w = columns_side_ ? weight_(j, rows_[k]) : weight_(rows_[k], j);
        w = w * (1 - learning_rate * options_.weight_decay) - factor * m / (std::sqrt(v) + epsilon);
      }
    }
  }

  const Dense& weight() const { return weight_; }
  const std::vector<std::size_t>& rows() const { return rows_; }

 private:
  std::size_t other_extent() const { return columns_side_ ? weight_.rows : weight_.columns; }
  std::size_t extent() const { return columns_side_ ? weight_.columns : weight_.rows; }
  double entry(const Dense& gradient, std::size_t row, std::size_t j) const {
    return columns_side_ ? gradient(j, row) : gradient(row, j);
  }

  void all_rows() {
    rows_.resize(extent());
    std::iota(rows_.begin(), rows_.end(), std::size_t(0));
    reset();
  }

  void choose(const Dense& gradient) {
    std::vector<double> norms(extent(), 0.0);
    for (std::size_t k = 0; k < extent(); ++k)
      for (std::size_t j = 0; j < other_extent(); ++j) norms[k] += entry(gradient, k, j) * entry(gradient, k, j);
    const std::vector<std::size_t> before = rows_;
    rows_.resize(extent());
    std::iota(rows_.begin(), rows_.end(), std::size_t(0));
    std::stable_sort(rows_.begin(), rows_.end(), [&](std::size_t a, std::size_t b) { return norms[a] > norms[b]; });
    rows_.resize(std::min(options_.rank, extent()));
    std::sort(rows_.begin(), rows_.end());
    const Dense first = first_;
    const Dense second = second_;
    const std::vector<int> counts = counts_;
    reset();
    for (std::size_t k = 0; k < rows_.size() && options_.keep_moments; ++k) {
      const auto place = std::find(before.begin(), before.end(), rows_[k]);
      if (place == before.end()) continue;
      const auto from = static_cast<std::size_t>(place - before.begin());
      for (std::size_t j = 0; j < other_extent(); ++j) {
        first_(k, j) = first(from, j);
        second_(k, j) = second(from, j);
      }
      counts_[k] = counts[from];
    }
  }

  void reset() {
    first_ = Dense(rows_.size(), other_extent());
    second_ = Dense(rows_.size(), other_extent());
    counts_.assign(rows_.size(), 0);
  }

  Dense weight_;
  ReferenceOptions options_;
  bool columns_side_ = false;
  std::vector<std::size_t> rows_;
  Dense first_;
  Dense second_;
  std::vector<int> counts_;
};

}  // namespace Sward::Test
