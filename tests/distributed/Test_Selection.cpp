#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "Sward_MpiCommunicator.hpp"
#include "Sward_OptimizerTrial.hpp"
#include "Sward_StateRecorder.hpp"

// Which rows an optimizer selects must not depend on how a batch is spread over ranks. Each test compares with a second
// optimizer, which this rank has for itself and which gets the factors of all ranks as one.

namespace Sward::Test {
namespace {

constexpr std::size_t tokens = 4;  // of one rank in a micro-batch
constexpr int refresh_interval = 2;

const std::vector<ParameterInfo>& matrices() {
  static const std::vector<ParameterInfo> list{{"wide", 12, 20, ParameterKind::attention, 0},
                                               {"tall", 20, 12, ParameterKind::mlp, 0},
                                               {"square", 16, 16, ParameterKind::mlp, 1}};
  return list;
}

/// dY and X of one matrix.
struct Factors {
  Dense output_gradient;
  Dense input;
};

/// Factors by micro-batch, rank and matrix; the same on all ranks.
using Update = std::vector<std::vector<std::vector<Factors>>>;

Update random_update(std::size_t micro_batches, std::size_t ranks, std::mt19937_64& engine) {
  Update update(micro_batches, std::vector<std::vector<Factors>>(ranks));
  for (auto& micro : update)
    for (auto& of_rank : micro)
      for (const ParameterInfo& matrix : matrices())
        of_rank.push_back({random_factor(tokens, static_cast<std::size_t>(matrix.rows), engine),
                           random_factor(tokens, static_cast<std::size_t>(matrix.columns), engine)});
  return update;
}

Dense stacked(const Dense& above, const Dense& below) {
  Dense both(above.rows + below.rows, below.columns);
  std::copy(above.values.begin(), above.values.end(), both.values.begin());
  std::copy(below.values.begin(), below.values.end(), both.values.begin() + static_cast<long>(above.values.size()));
  return both;
}

/// One micro-batch of all ranks as that of a single rank.
std::vector<Factors> of_one_rank(const std::vector<std::vector<Factors>>& micro) {
  std::vector<Factors> all = micro[0];
  for (std::size_t rank = 1; rank < micro.size(); ++rank)
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = {stacked(all[i].output_gradient, micro[rank][i].output_gradient),
                stacked(all[i].input, micro[rank][i].input)};
  return all;
}

struct Selected {
  std::vector<std::int32_t> rows;
  std::vector<float> scale;
};

/// An optimizer over the matrices, all of whose weights are zero at first.
class SelectingOptimizer {
 public:
  SelectingOptimizer(Selection selection, Communicator<MpiSpace> communicator, std::size_t ranks)
      : communicator_(std::move(communicator)) {
    OptimizerOptions options;
    options.grass_constants.rank = 5;
    options.grass_constants.selection = selection;
    options.grass_constants.refresh_interval = refresh_interval;
    options.grass_constants.seed = 3;
    for (const ParameterInfo& m : matrices()) {
      owned_.push_back(to_view(Dense(static_cast<std::size_t>(m.rows), static_cast<std::size_t>(m.columns))));
      weights_.emplace_back(owned_.back());
    }
    Arena<TrialSpace> plan = Arena<TrialSpace>::measuring();
    const Optimizer<TrialSpace, double> planned(plan, matrices(), weights_, ranks * tokens, options, communicator_);
    arena_.emplace(Arena<TrialSpace>::holding(plan.bytes()));
    optimizer_.emplace(*arena_, matrices(), weights_, ranks * tokens, options, communicator_);
    optimizer_->initialize(TrialSpace());
  }

  void update(std::int64_t step, const std::vector<std::vector<Factors>>& micro_batches) {
    optimizer_->begin_update(TrialSpace(), step, static_cast<int>(micro_batches.size()), 0.01);
    for (const std::vector<Factors>& micro : micro_batches) {
      for (std::size_t i = 0; i < micro.size(); ++i) {
        optimizer_->accept_factors(static_cast<int>(i), to_view(micro[i].output_gradient), to_view(micro[i].input));
        optimizer_->complete(static_cast<int>(i));
      }
    }
    const GradientNorm norm = optimizer_->finish_gradients();
    optimizer_->apply(norm.norm);
    TrialSpace().fence();
  }

  std::vector<Selected> selected() {
    std::vector<Selected> all;
    for (const ParameterInfo& matrix : matrices()) {
      StateRecorder<TrialSpace, double> recorder;
      optimizer_->visit_state(matrix.name, recorder);
      all.push_back({recorder.values<std::int32_t>("rows"), recorder.values<float>("scale")});
    }
    return all;
  }

 private:
  Communicator<MpiSpace> communicator_{MPI_COMM_WORLD};
  std::vector<Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace>> owned_;
  std::vector<typename GradientSink<TrialSpace, double>::Matrix> weights_;
  std::optional<Arena<TrialSpace>> arena_;
  std::optional<Optimizer<TrialSpace, double>> optimizer_;
};

std::vector<std::vector<Factors>> share_of(const Update& update, int rank) {
  std::vector<std::vector<Factors>> share;
  for (const auto& micro : update) share.push_back(micro[static_cast<std::size_t>(rank)]);
  return share;
}

std::vector<std::vector<Factors>> whole(const Update& update) {
  std::vector<std::vector<Factors>> all;
  for (const auto& micro : update) all.push_back(of_one_rank(micro));
  return all;
}

void expect_same(const std::vector<Selected>& got, const std::vector<Selected>& wanted, const std::string& when) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].rows, wanted[i].rows) << matrices()[i].name << " " << when;
    for (std::size_t k = 0; k < got[i].scale.size(); ++k)
      EXPECT_NEAR(got[i].scale[k], wanted[i].scale[k], 1e-6F * wanted[i].scale[k]) << matrices()[i].name << " " << when;
  }
}

void expect_valid(const std::vector<Selected>& selected, bool with_replacement) {
  for (std::size_t i = 0; i < selected.size(); ++i) {
    const std::vector<std::int32_t>& rows = selected[i].rows;
    ASSERT_EQ(rows.size(), 5U);
    EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
    EXPECT_GE(rows.front(), 0);
    EXPECT_LT(rows.back(), std::min(matrices()[i].rows, matrices()[i].columns));
    if (with_replacement) continue;
    EXPECT_EQ(std::set<std::int32_t>(rows.begin(), rows.end()).size(), rows.size());
    EXPECT_EQ(selected[i].scale, std::vector<float>(5, 1.0F));
  }
}

class SelectionOverRanks : public ::testing::TestWithParam<Selection> {};

TEST_P(SelectionOverRanks, is_that_of_one_rank_with_all_tokens) {
  const Communicator<MpiSpace> world(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(world.size());
  SelectingOptimizer spread(GetParam(), Communicator<MpiSpace>(MPI_COMM_WORLD), ranks);
  SelectingOptimizer single(GetParam(), Communicator<MpiSpace>(MPI_COMM_SELF), ranks);
  std::mt19937_64 engine(21);
  std::set<std::vector<std::int32_t>> choices;
  for (std::int64_t step = 0; step < 6; ++step) {
    const Update update = random_update(2, ranks, engine);
    spread.update(step, share_of(update, world.rank()));
    single.update(step, whole(update));
    expect_same(spread.selected(), single.selected(), "at step " + std::to_string(step));
    expect_valid(spread.selected(), draws_with_replacement(GetParam()));
    choices.insert(spread.selected()[0].rows);
  }
  // Three refreshes, between which the rows stay.
  EXPECT_EQ(choices.size(), 3U);
}

TEST_P(SelectionOverRanks, is_by_the_first_micro_batch_of_all_ranks) {
  const Communicator<MpiSpace> world(MPI_COMM_WORLD);
  const auto ranks = static_cast<std::size_t>(world.size());
  std::mt19937_64 engine(22);
  Update update = random_update(3, ranks, engine);
  // Later micro-batches are larger, so that they would decide if they were asked.
  for (std::size_t micro = 1; micro < update.size(); ++micro)
    for (auto& of_rank : update[micro])
      for (Factors& factors : of_rank)
        for (double& value : factors.input.values) value *= 100.0;
  SelectingOptimizer spread(GetParam(), Communicator<MpiSpace>(MPI_COMM_WORLD), ranks);
  spread.update(0, share_of(update, world.rank()));
  SelectingOptimizer first(GetParam(), Communicator<MpiSpace>(MPI_COMM_SELF), ranks);
  first.update(0, {of_one_rank(update[0])});
  expect_same(spread.selected(), first.selected(), "by the first micro-batch");
  if (GetParam() != Selection::top_r) return;
  SelectingOptimizer second(GetParam(), Communicator<MpiSpace>(MPI_COMM_SELF), ranks);
  second.update(0, {of_one_rank(update[1])});
  EXPECT_NE(second.selected()[0].rows, first.selected()[0].rows);
}

TEST(SelectionOverRanks, needs_the_tokens_of_every_rank) {
  const Communicator<MpiSpace> world(MPI_COMM_WORLD);
  if (world.size() == 1) return;
  const auto ranks = static_cast<std::size_t>(world.size());
  std::mt19937_64 engine(23);
  const Update update = random_update(1, ranks, engine);
  SelectingOptimizer spread(Selection::top_r, Communicator<MpiSpace>(MPI_COMM_WORLD), ranks);
  spread.update(0, share_of(update, world.rank()));
  SelectingOptimizer own(Selection::top_r, Communicator<MpiSpace>(MPI_COMM_SELF), ranks);
  own.update(0, share_of(update, world.rank()));
  bool differs = false;
  for (std::size_t i = 0; i < matrices().size(); ++i)
    differs = differs || spread.selected()[i].rows != own.selected()[i].rows;
  EXPECT_TRUE(differs);
}

std::string scheme_name(const ::testing::TestParamInfo<Selection>& scheme) {
  const std::vector<std::string> names{"top_r",
                                       "norm",
                                       "norm_squared",
                                       "uniform",
                                       "norm_replacement",
                                       "norm_squared_replacement",
                                       "uniform_replacement"};
  return names.at(static_cast<std::size_t>(scheme.param));
}

INSTANTIATE_TEST_SUITE_P(Schemes, SelectionOverRanks,
                         ::testing::Values(Selection::top_r, Selection::norm, Selection::norm_squared,
                                           Selection::uniform, Selection::norm_replacement,
                                           Selection::norm_squared_replacement, Selection::uniform_replacement),
                         scheme_name);

}  // namespace
}  // namespace Sward::Test
