#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_OptimizerTrial.hpp"

// The optimizer against plain loops in double, on every number of ranks that this executable is started with.

namespace Sward::Test {
namespace {

class OptimizerAgainstReference : public ::testing::TestWithParam<TrialOptions> {};

TEST_P(OptimizerAgainstReference, WeightsNormsAndBytes) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  TrialOptions options = GetParam();
  for (const bool overlaps : {false, true}) {
    options.overlaps_refresh = overlaps;
    compare_with_reference(options, communicator);
  }
}

TrialOptions trial(bool grass, std::size_t rank, long interval, long warmup, double decay, double clip,
                   std::size_t micro_batches, bool writes_columns = false, bool shares_states = false,
                   bool shares_weights = false) {
  return {grass,         rank, interval,       warmup, decay,         clip,
          micro_batches, 8,    writes_columns, false,  shares_states, shares_weights};
}

INSTANTIATE_TEST_SUITE_P(Options, OptimizerAgainstReference,
                         ::testing::Values(trial(true, 3, 3, 0, 0.0, 0.0, 1), trial(true, 3, 3, 2, 0.1, 0.0, 2),
                                           trial(true, 2, 4, 5, 0.0, 1.5, 3), trial(true, 100, 5, 0, 0.1, 0.0, 2),
                                           trial(true, 1, 1, 0, 0.0, 0.0, 1), trial(false, 0, 1, 0, 0.1, 0.0, 1),
                                           trial(false, 0, 1, 0, 0.0, 2.0, 3), trial(true, 3, 3, 0, 0.1, 0.0, 1, true),
                                           trial(true, 2, 4, 5, 0.0, 1.5, 3, true)));

INSTANTIATE_TEST_SUITE_P(SharedStates, OptimizerAgainstReference,
                         ::testing::Values(trial(true, 3, 3, 2, 0.1, 0.0, 2, false, true),
                                           trial(true, 20, 4, 5, 0.0, 1.5, 3, true, true),
                                           trial(true, 1000, 5, 0, 0.1, 0.0, 2, false, true),
                                           trial(false, 0, 1, 0, 0.1, 2.0, 3, false, true)));

INSTANTIATE_TEST_SUITE_P(SharedWeights, OptimizerAgainstReference,
                         ::testing::Values(trial(true, 3, 3, 2, 0.1, 0.0, 1, false, true, true),
                                           trial(true, 20, 4, 5, 0.0, 1.5, 3, true, true, true),
                                           trial(true, 1000, 5, 0, 0.1, 0.0, 2, false, true, true),
                                           trial(false, 0, 1, 0, 0.1, 2.0, 1, false, true, true),
                                           trial(false, 0, 1, 0, 0.1, 2.0, 3, false, true, true)));

TrialOptions keeping(TrialOptions options) {
  options.keeps_moments = true;
  return options;
}

INSTANTIATE_TEST_SUITE_P(KeptMoments, OptimizerAgainstReference,
                         ::testing::Values(keeping(trial(true, 3, 3, 2, 0.1, 0.0, 2)),
                                           keeping(trial(true, 4, 1, 5, 0.0, 1.5, 3, true)),
                                           keeping(trial(true, 20, 2, 3, 0.0, 1.5, 3, true, true)),
                                           keeping(trial(true, 20, 3, 2, 0.1, 0.0, 1, false, true, true))));

/// Inside the backward pass, where updates take the norms of the gradients that they read.
TEST(OptimizerAtOnce, AgreesWithReference) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  if (communicator.size() > 1) GTEST_SKIP() << "layers are updated at once on one rank";
  for (const bool grass : {true, false}) {
    TrialOptions options = trial(grass, 3, 3, 2, 0.1, 0.0, 1);
    options.updates_at_once = true;
    compare_with_reference(options, communicator);
  }
}

/// Writes down which sums of gradients are under way.
class WatchedGroup : public Communicator<MpiSpace> {
 public:
  using Communicator::Communicator;
  using Communicator::wait;
  void wait(const Space& space, Ticket ticket) override {
    Communicator::wait(space, ticket);
    under_way_.erase(ticket);
  }
  std::vector<std::string> under_way() const {
    std::vector<std::string> names;
    for (const auto& [ticket, what] : under_way_) names.push_back(what);
    return names;
  }

 protected:
  Ticket start(const Space& space, const Message& message, const std::string& what) override {
    const Ticket ticket = Communicator::start(space, message, what);
    under_way_.emplace(ticket, what);
    return ticket;
  }

 private:
  std::map<Ticket, std::string> under_way_;
};

TEST(OptimizerRefresh, SumsAMatrixBesideTheNextProductOfItsLayer) {
  const std::vector<ParameterInfo> parameters{{"down", 4, 6, ParameterKind::mlp, 1},
                                              {"up", 6, 4, ParameterKind::mlp, 1},
                                              {"query", 4, 4, ParameterKind::attention, 1},
                                              {"down below", 4, 6, ParameterKind::mlp, 0}};
  WatchedGroup group(MPI_COMM_WORLD);
  OptimizerOptions options;
  options.grass_constants.rank = 2;
  options.overlaps_refresh = true;
  std::vector<Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace>> weights;
  for (const ParameterInfo& p : parameters) weights.emplace_back("weight", p.rows, p.columns);
  Arena<TrialSpace> plan = Arena<TrialSpace>::measuring();
  const auto place = [&](Arena<TrialSpace>& arena) {
    return std::make_unique<Optimizer<TrialSpace, double>>(
        arena, parameters, std::vector<GradientSink<TrialSpace, double>::Matrix>(weights.begin(), weights.end()), 3,
        options, group);
  };
  place(plan);
  Arena<TrialSpace> arena = Arena<TrialSpace>::holding(plan.bytes());
  const auto optimizer = place(arena);
  optimizer->initialize(TrialSpace());
  optimizer->begin_update(TrialSpace(), 0, 1, 0.1);
  std::mt19937_64 engine(3);
  const auto take_factors = [&](int p) {
    const auto dy = to_view(random_factor(3, weights[static_cast<std::size_t>(p)].extent(0), engine));
    const auto x = to_view(random_factor(3, weights[static_cast<std::size_t>(p)].extent(1), engine));
    optimizer->accept_factors(p, dy, x);
  };
  using Names = std::vector<std::string>;
  take_factors(0);
  optimizer->complete(0);
  EXPECT_EQ(group.under_way(), Names{"the gradient of down"});
  take_factors(1);
  EXPECT_EQ(group.under_way(), Names{"the gradient of down"});
  optimizer->complete(1);
  EXPECT_EQ(group.under_way(), Names{"the gradient of up"});
  take_factors(2);
  optimizer->complete(2);
  EXPECT_EQ(group.under_way(), Names{"the gradient of query"});
  // The layer's message is on its way before anything of the layer below is written.
  take_factors(3);
  EXPECT_EQ(group.under_way(), Names{"the gradients of layer 1"});
  optimizer->complete(3);
  optimizer->finish_gradients();
}

/// Two matrices and an optimizer that selects by norm in every fourth update.
class SmallOptimizer {
 public:
  using Matrix = GradientSink<TrialSpace, double>::Matrix;

  explicit SmallOptimizer(Communicator<MpiSpace>& communicator, bool keeps_moments = false)
      : communicator_(communicator) {
    std::mt19937_64 engine(5);
    for (const ParameterInfo& p : parameters_)
      owned_.push_back(
          to_view(random_factor(static_cast<std::size_t>(p.rows), static_cast<std::size_t>(p.columns), engine)));
    const std::vector<Matrix> weights(owned_.begin(), owned_.end());
    OptimizerOptions options;
    options.grass_constants.rank = 2;
    options.grass_constants.refresh_interval = 4;
    options.grass_constants.selection = Selection::top_r;  // the same rows in whichever step
    options.grass_constants.keep_moments = keeps_moments;
    Arena<TrialSpace> plan = Arena<TrialSpace>::measuring();
    const Optimizer<TrialSpace, double> measured(plan, parameters_, weights, tokens, options, communicator_);
    arena_.emplace(Arena<TrialSpace>::holding(plan.bytes()));
    optimizer_.emplace(*arena_, parameters_, weights, tokens, options, communicator_);
    optimizer_->initialize(TrialSpace());
  }

  /// One update with factors that depend on batch and rank alone. A spoilt one has a NaN on the last rank and is not
  /// applied.
  void update(long step, bool is_spoilt) { update(step, step, is_spoilt); }
  void update(long step, long batch, bool is_spoilt) {
    std::mt19937_64 engine(static_cast<std::uint64_t>(100 * batch + communicator_.rank()));
    optimizer_->begin_update(TrialSpace(), step, 1, 0.1);
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const auto dy = to_view(random_factor(tokens, static_cast<std::size_t>(parameters_[p].rows), engine));
      const auto x = to_view(random_factor(tokens, static_cast<std::size_t>(parameters_[p].columns), engine));
      if (is_spoilt && communicator_.rank() == communicator_.size() - 1)
        Kokkos::deep_copy(dy, std::numeric_limits<double>::quiet_NaN());
      optimizer_->accept_factors(static_cast<int>(p), dy, x);
      optimizer_->complete(static_cast<int>(p));
    }
    const GradientNorm norm = optimizer_->finish_gradients();
    EXPECT_EQ(norm.nonfinite_parameter, is_spoilt ? parameters_[0].name : "");
    if (is_spoilt)
      optimizer_->skip();
    else
      optimizer_->apply(norm.norm);
    Kokkos::fence();
  }

  bool refreshes() const { return optimizer_->refreshes(); }
  void take_weights(const SmallOptimizer& other) {
    for (std::size_t p = 0; p < owned_.size(); ++p) Kokkos::deep_copy(owned_[p], other.owned_[p]);
  }
  std::vector<double> weights() const {
    std::vector<double> all;
    for (const auto& weight : owned_) all.insert(all.end(), weight.data(), weight.data() + weight.size());
    return all;
  }

 private:
  static constexpr std::size_t tokens = 3;
  const std::vector<ParameterInfo> parameters_{{"wide", 5, 8, ParameterKind::attention, 0},
                                               {"tall", 9, 4, ParameterKind::mlp, 0}};
  Communicator<MpiSpace>& communicator_;
  std::vector<Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace>> owned_;
  std::optional<Arena<TrialSpace>> arena_;
  std::optional<Optimizer<TrialSpace, double>> optimizer_;
};

TEST(OptimizerSkipping, AnUpdateThatIsNotAppliedLeavesNoTrace) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  SmallOptimizer spoilt(communicator);
  SmallOptimizer untouched(communicator);
  for (const long step : {0, 1, 2, 3}) {
    if (step != 2) untouched.update(step, false);
    spoilt.update(step, step == 2);
    EXPECT_EQ(spoilt.weights(), untouched.weights()) << "update " << step;
  }
}

TEST(OptimizerSkipping, ARefreshThatIsNotAppliedIsMadeUpForByTheNextUpdate) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  SmallOptimizer spoilt(communicator);
  for (const long step : {0, 1, 2, 3}) spoilt.update(step, false);
  SmallOptimizer fresh(communicator);
  fresh.take_weights(spoilt);
  for (const long step : {4, 5}) {
    spoilt.update(step, true);
    EXPECT_TRUE(spoilt.refreshes());
    EXPECT_EQ(spoilt.weights(), fresh.weights());
  }
  for (const long step : {6, 7, 8, 9}) {
    spoilt.update(step, false);
    fresh.update(step, false);
    EXPECT_EQ(spoilt.refreshes(), step == 6 || step == 8);
    EXPECT_EQ(spoilt.weights(), fresh.weights()) << "update " << step;
  }
}

TEST(OptimizerSkipping, ARefreshThatIsNotAppliedCostsNoRowItsMoments) {
  Communicator<MpiSpace> communicator(MPI_COMM_WORLD);
  SmallOptimizer spoilt(communicator, true);
  SmallOptimizer untouched(communicator, true);
  for (const long step : {0, 1, 2, 3}) {
    spoilt.update(step, false);
    untouched.update(step, false);
  }
  for (const long step : {4, 5}) spoilt.update(step, true);
  EXPECT_EQ(spoilt.weights(), untouched.weights());
  spoilt.update(6, false);
  untouched.update(4, 6, false);
  EXPECT_EQ(spoilt.weights(), untouched.weights()) << "the refresh made up for";
  for (const long step : {7, 8, 9}) {
    spoilt.update(step, false);
    untouched.update(step, false);
    EXPECT_EQ(spoilt.weights(), untouched.weights()) << "update " << step;
  }
}

}  // namespace
}  // namespace Sward::Test
