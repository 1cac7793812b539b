// A projected optimizer of one's own, which sketches gradients with random signs instead of selecting rows: Adam runs
// on S G = (dY Sᵀ)ᵀ X, with S of r x m elements +-1/sqrt(r), and Sᵀ brings its step back to the weight.
#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>

#include "Sward_AdamUpdate.hpp"
#include "Sward_GradientSink.hpp"
#include "Sward_MatrixProduct.hpp"
#include "Sward_NormalValues.hpp"
#include "Sward_RowNorms.hpp"
#include "Sward_Sum.hpp"
#include "Sward_Views.hpp"

using Space = Kokkos::DefaultExecutionSpace;
using Weights = Sward::Matrix<float, Space>;
constexpr auto yes = Sward::Transpose::yes, no = Sward::Transpose::no;

void draw_signs(const Space& space, const Sward::Draw& draw, const Weights& sketch) {
  const float size = 1.0F / std::sqrt(static_cast<float>(sketch.extent(0)));
  const auto sign = KOKKOS_LAMBDA(const std::size_t k) {
    sketch.data()[k] = Sward::random_bits(draw, k).first % 2 == 0 ? size : -size;
  };
  Kokkos::parallel_for("draw_signs", Kokkos::RangePolicy<Space>(space, 0, sketch.size()), sign);
}

/// Of one matrix. A model's backward pass delivers to it as to Sward's own, once in an update.
struct SketchOptimizer : Sward::GradientSink<Space, float> {
  SketchOptimizer(const Space& on, const Weights& trained, std::size_t rank, std::size_t tokens)
      : space(on), weight(trained), sketch("S", rank, weight.extent(0)), sketched("dY S^T", tokens, rank) {
    for (Weights* matrix : {&gradient, &first, &second}) *matrix = Weights("r x n", rank, weight.extent(1));
  }
  void begin_update(double rate) {
    learning_rate = static_cast<float>(rate);
    if (count++ % interval != 0) return;
    draw_signs(space, {.seed = 3, .step = static_cast<std::uint64_t>(count), .matrix = 0}, sketch);
    for (const Weights& moment : {first, second}) Kokkos::deep_copy(space, moment, 0.0F);
  }
  void accept_factors(int, ConstMatrix output_gradient, ConstMatrix input) override {
    Sward::matrix_product(space, no, yes, 1.0F, output_gradient, sketch, 0.0F, sketched);
    Sward::matrix_product(space, yes, no, 1.0F, sketched, input, 0.0F, gradient);
  }
  DenseGradient dense_gradient(int) override { throw std::logic_error("SketchOptimizer: a gradient without factors"); }
  void complete(int) override {
    const Sward::AdamStep step{0.9, 0.999, 1e-8, (count - 1) % interval + 1};
    Sward::adam_update(space, step, {}, gradient, first, second, gradient);
    Sward::matrix_product(space, yes, no, -learning_rate, sketch, gradient, 1.0F, weight);
  }
  static constexpr int interval = 10;  // updates with the same signs
  Space space;
  Weights weight, sketch, sketched, gradient, first, second;
  float learning_rate = 0.0F;
  std::int64_t count = 0;
};

int main(int argc, char** argv) {
  const Kokkos::ScopeGuard kokkos(argc, argv);
  constexpr int tokens = 256, outputs = 48, inputs = 64, rank = 12, updates = 400;
  const Space space;
  const Weights x("X", tokens, inputs), dy("dY", tokens, outputs), goal("W*", outputs, inputs), w("W", outputs, inputs);
  const Sward::Vector<double, Space> norms("norms of the errors", tokens);
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 0}, 1.0, x);
  Sward::normal_values(space, {.seed = 1, .step = 0, .matrix = 1}, 1.0, goal);
  SketchOptimizer optimizer(space, w, rank, tokens);
  double errors[updates + 1];
  for (int update = 0; update <= updates; ++update) {
    Sward::matrix_product(space, no, yes, 1.0F, x, w, 0.0F, dy);
    Sward::matrix_product(space, no, yes, -1.0F, x, goal, 1.0F, dy);
    Sward::row_norms(space, dy, Sward::Side::rows, norms);
    errors[update] = Sward::sum(space, norms) / tokens;
    optimizer.begin_update(0.2 * (updates + 1 - update) / updates);
    optimizer.accept_factors(0, dy, x);
    optimizer.complete(0);
  }
  std::printf("error %.2f, in the middle %.2f, at the end %.2f\n", errors[0], errors[updates / 2], errors[updates]);
  return errors[updates] < 0.05 * errors[0] ? 0 : 1;
}
