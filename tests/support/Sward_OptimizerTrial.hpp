#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "Sward_Optimizer.hpp"
#include "Sward_ReferenceGrass.hpp"

namespace Sward::Test {

using TrialSpace = Kokkos::DefaultExecutionSpace;

/// What one comparison of the optimizer with the reference runs.
struct TrialOptions {
  bool grass = true;
  std::size_t rank = 3;
  long refresh_interval = 3;
  long refresh_warmup = 0;
  double weight_decay = 0.0;
  double clip = 0.0;
  std::size_t micro_batches = 1;
  long updates = 8;
  bool writes_columns = false;    ///< columns that are wanted are handed over in place of factors
  bool updates_at_once = false;   ///< as in OptimizerOptions
  bool shares_states = false;     ///< ranks share moments and updates, of matrices that are large enough for that
  bool shares_weights = false;    ///< and weights
  bool overlaps_refresh = false;  ///< as in OptimizerOptions
  bool keeps_moments = false;     ///< of rows that stay selected
};

/// Random factors of every rank and micro-batch of an update; the same on all ranks.
inline Dense random_factor(std::size_t rows, std::size_t columns, std::mt19937_64& engine) {
  std::normal_distribution<double> draw;
  Dense factor(rows, columns);
  for (double& value : factor.values) value = draw(engine);
  return factor;
}

inline Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace> to_view(const Dense& dense) {
  Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace> view("dense", dense.rows, dense.columns);
  std::copy(dense.values.begin(), dense.values.end(), view.data());
  return view;
}

/// Hands both factors over, or what is wanted of one of them and the other.
inline void hand_over(Optimizer<TrialSpace, double>& optimizer, int parameter, const Dense& dy, const Dense& x,
                      bool writes_columns) {
  for (const GradientFactor factor : {GradientFactor::output_gradient, GradientFactor::input}) {
    if (!writes_columns) break;
    const auto slice = optimizer.wanted_columns(parameter, factor, dy.rows);
    if (slice.is_empty()) continue;
    const Dense& whole = factor == GradientFactor::input ? x : dy;
    for (std::size_t t = 0; t < slice.values.extent(0); ++t)
      for (std::size_t s = 0; s < slice.values.extent(1); ++s)
        slice.values(t, s) = whole(t, static_cast<std::size_t>(slice.columns(s)));
    return optimizer.accept_columns(std::array{parameter}, to_view(factor == GradientFactor::input ? dy : x));
  }
  optimizer.accept_factors(parameter, to_view(dy), to_view(x));
}

/// Feeds the same random factors to the optimizer, over all ranks of the communicator, and to the reference, and
/// compares weights, gradient norms and bytes after every update.
inline void compare_with_reference(const TrialOptions& trial, ProcessGroup& communicator) {
  std::vector<ParameterInfo> parameters{{"embedding", 4, 6, ParameterKind::embedding, -1},
                                        {"wide", 5, 8, ParameterKind::attention, 0},
                                        {"tall", 9, 4, ParameterKind::mlp, 0},
                                        {"norm", 1, 6, ParameterKind::norm, 0},
                                        {"square", 6, 6, ParameterKind::mlp, 1},
                                        {"head", 7, 6, ParameterKind::head, -1}};
  OptimizerOptions options;
  options.grass = trial.grass;
  options.adam.weight_decay = trial.weight_decay;
  options.clip = trial.clip;
  options.updates_at_once = trial.updates_at_once;
  options.overlaps_refresh = trial.overlaps_refresh;
  options.micro_batches = static_cast<int>(trial.micro_batches);
  if (trial.shares_states) {
    options.shard = {communicator.rank(), communicator.size(), trial.shares_weights};
    for (ParameterInfo& p : parameters) {
      if (p.rows > 1) p.rows *= 8;
      p.columns *= 8;
    }
  }
  options.grass_constants.rank = static_cast<std::int64_t>(trial.rank);
  options.grass_constants.selection = Selection::top_r;
  options.grass_constants.refresh_interval = trial.refresh_interval;
  options.grass_constants.refresh_warmup = trial.refresh_warmup;
  options.grass_constants.keep_moments = trial.keeps_moments;
  // The factors of slots are floats: each update is off by 2^-23 of a step of at most the rate.
  const double tolerance = trial.keeps_moments ? static_cast<double>(trial.updates) * 0.05 * 0x1p-23 : 1e-11;

  const TrialSpace space;
  std::mt19937_64 engine(11);
  std::vector<ReferenceParameter> reference;
  std::vector<Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace>> owned;
  std::vector<typename GradientSink<TrialSpace, double>::Matrix> weights;
  for (const ParameterInfo& p : parameters) {
    const Dense weight = random_factor(static_cast<std::size_t>(p.rows), static_cast<std::size_t>(p.columns), engine);
    ReferenceOptions ro;
    ro.projected = trial.grass && (p.kind == ParameterKind::attention || p.kind == ParameterKind::mlp);
    ro.rank = trial.rank;
    ro.refresh_interval = trial.refresh_interval;
    ro.refresh_warmup = trial.refresh_warmup;
    ro.keep_moments = ro.projected && trial.keeps_moments;
    ro.weight_decay = p.kind == ParameterKind::norm ? 0.0 : trial.weight_decay;
    reference.emplace_back(weight, ro);
    owned.push_back(to_view(weight));
    weights.emplace_back(owned.back());
  }
  constexpr std::size_t tokens = 3;
  Arena<TrialSpace> plan = Arena<TrialSpace>::measuring();
  const Optimizer<TrialSpace, double> measured(plan, parameters, weights, tokens, options, communicator);
  Arena<TrialSpace> arena = Arena<TrialSpace>::holding(plan.bytes());
  Optimizer<TrialSpace, double> optimizer(arena, parameters, weights, tokens, options, communicator);
  optimizer.initialize(space);
  WeightSource<TrialSpace>* const source = optimizer.weight_source();
  const ParameterGroups groups = group_parameters(parameters);
  for (std::size_t p = 0; p < parameters.size() && source != nullptr; ++p) {
    source->keep(space, p);
    Kokkos::deep_copy(owned[p], std::numeric_limits<double>::quiet_NaN());
  }

  const auto ranks = static_cast<std::size_t>(communicator.size());
  const auto rank = static_cast<std::size_t>(communicator.rank());
  const double learning_rate = 0.05;
  for (long step = 0; step < trial.updates; ++step) {
    optimizer.begin_update(space, step, static_cast<int>(trial.micro_batches), learning_rate);
    std::vector<std::vector<Dense>> gradients(parameters.size());
    for (std::size_t micro = 0; micro < trial.micro_batches; ++micro) {
      for (std::size_t p = 0; p < parameters.size(); ++p) {
        const auto rows = static_cast<std::size_t>(parameters[p].rows);
        const auto columns = static_cast<std::size_t>(parameters[p].columns);
        gradients[p].emplace_back(rows, columns);
        for (std::size_t r = 0; r < ranks; ++r) {
          const Dense dy = random_factor(tokens, rows, engine);
          const Dense x = random_factor(tokens, columns, engine);
          add_to(gradients[p].back(), product_of_factors(dy, x));
          if (r != rank) continue;
          if (parameters[p].kind == ParameterKind::norm) {
            const Dense own = product_of_factors(dy, x);
            const auto target = optimizer.dense_gradient(static_cast<int>(p));
            for (std::size_t i = 0; i < own.values.size(); ++i)
              target.matrix.data()[i] = own.values[i] + (target.has_parts ? target.matrix.data()[i] : 0.0);
          } else {
            hand_over(optimizer, static_cast<int>(p), dy, x, trial.writes_columns);
          }
        }
        optimizer.complete(static_cast<int>(p));
      }
    }
    const GradientNorm norm = optimizer.finish_gradients();
    EXPECT_EQ(norm.nonfinite_parameter, "");
    optimizer.apply(norm.norm);
    space.fence();
    // Weights are fetched by a model, which is not here.
    if (source == nullptr) {
      EXPECT_EQ(optimizer.communicated_bytes(), optimizer.planned_bytes(optimizer.refreshes()));
    }

    std::vector<Dense> compressed;
    double square = 0.0;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      compressed.push_back(reference[p].gather(step, gradients[p]));
      for (const double g : compressed[p].values) square += g * g;
    }
    EXPECT_NEAR(norm.norm, std::sqrt(square), 1e-12 * std::sqrt(square));
    const double scale = trial.clip > 0 && std::sqrt(square) > trial.clip ? trial.clip / std::sqrt(square) : 1.0;
    for (std::size_t p = 0; p < parameters.size(); ++p) {
      reference[p].update(step, compressed[p], learning_rate, scale);
      if (source != nullptr) source->fetch(space, groups.of[p]);
      space.fence();
      for (std::size_t i = 0; i < weights[p].size(); ++i)
        ASSERT_NEAR(weights[p].data()[i], reference[p].weight().values[i], tolerance)
            << parameters[p].name << " element " << i << " after update " << step;
    }
  }
}

}  // namespace Sward::Test
