#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_OptimizerTrial.hpp"

// Columns of parameters that have a factor in common, handed over together.

namespace Sward::Test {
namespace {

using Matrix = GradientSink<TrialSpace, double>::Matrix;
constexpr std::size_t tokens = 3, inputs = 6;

/// Queries, keys and values, of which keys have fewer rows.
const std::vector<ParameterInfo> parameters{{"query", 4, inputs, ParameterKind::attention, 0},
                                            {"key", 2, inputs, ParameterKind::attention, 0},
                                            {"value", 4, inputs, ParameterKind::attention, 0}};
constexpr std::array numbers = {0, 1, 2};

/// Writes what is wanted of each output's gradient, then hands all over with the input.
void hand_over_columns(Optimizer<TrialSpace, double>& optimizer, const std::vector<Dense>& dy, const Dense& x) {
  for (const int p : numbers) {
    const auto slice = optimizer.wanted_columns(p, GradientFactor::output_gradient, tokens);
    ASSERT_FALSE(slice.is_empty());
    for (std::size_t t = 0; t < tokens; ++t)
      for (std::size_t s = 0; s < slice.values.extent(1); ++s)
        slice.values(t, s) = dy[static_cast<std::size_t>(p)](t, static_cast<std::size_t>(slice.columns(s)));
  }
  optimizer.accept_columns(numbers, to_view(x));
}

/// The weights after two updates of two micro-batches with random factors, always the same.
std::vector<double> weights_after(bool by_columns, std::int64_t rank) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  OptimizerOptions options;
  options.grass_constants.rank = rank;
  options.grass_constants.selection = Selection::uniform;  // refreshes take columns too
  options.micro_batches = 2;
  std::mt19937_64 engine(7);
  std::vector<Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace>> owned;
  for (const ParameterInfo& p : parameters)
    owned.push_back(to_view(random_factor(static_cast<std::size_t>(p.rows), inputs, engine)));
  const std::vector<Matrix> weights(owned.begin(), owned.end());
  Arena<TrialSpace> plan = Arena<TrialSpace>::measuring();
  const Optimizer<TrialSpace, double> measured(plan, parameters, weights, tokens, options, communicator);
  Arena<TrialSpace> arena = Arena<TrialSpace>::holding(plan.bytes());
  Optimizer<TrialSpace, double> optimizer(arena, parameters, weights, tokens, options, communicator);
  optimizer.initialize(TrialSpace());
  for (long step = 0; step < 2; ++step) {
    optimizer.begin_update(TrialSpace(), step, options.micro_batches, 0.1);
    for (int micro = 0; micro < options.micro_batches; ++micro) {
      std::vector<Dense> dy;
      for (const ParameterInfo& p : parameters)
        dy.push_back(random_factor(tokens, static_cast<std::size_t>(p.rows), engine));
      const Dense x = random_factor(tokens, inputs, engine);
      if (by_columns) hand_over_columns(optimizer, dy, x);
      for (const int p : numbers) {
        if (!by_columns) optimizer.accept_factors(p, to_view(dy[static_cast<std::size_t>(p)]), to_view(x));
        optimizer.complete(p);
      }
    }
    optimizer.apply(optimizer.finish_gradients().norm);
  }
  Kokkos::fence();
  std::vector<double> all;
  for (const auto& weight : owned) all.insert(all.end(), weight.data(), weight.data() + weight.size());
  return all;
}

TEST(OptimizerColumns, AreWorthTheWholeFactors) {
  // All side by side; the slice of values apart from the others; one row each.
  for (const std::int64_t rank : {2, 3, 1}) {
    const auto columns = weights_after(true, rank), factors = weights_after(false, rank);
    ASSERT_EQ(columns.size(), factors.size());
    for (std::size_t i = 0; i < factors.size(); ++i) EXPECT_NEAR(columns[i], factors[i], 1e-11) << rank << ", " << i;
  }
}

}  // namespace
}  // namespace Sward::Test
