#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "Sward_CallerGroup.hpp"
#include "Sward_GrassOptimizer.hpp"
#include "Sward_LaunchRecording.hpp"
#include "Sward_MpiCommunicator.hpp"
#include "Sward_OptimizerTrial.hpp"

// GrassOptimizer on a caller's matrices against plain loops in double, with ranks that Sward adds up, and with ranks
// that the caller does.

namespace Sward::Test {
namespace {

using View = Kokkos::View<double**, Kokkos::LayoutRight, TrialSpace>;

/// By plain MPI, as a code of its own would.
CallerGroup callers_group(const Communicator<MpiSpace>& mpi) {
  return {mpi.rank(), mpi.size(), [&mpi](const TrialSpace& space, const CallerMessage& message) {
            ASSERT_EQ(message.type, ElementType::float64);
            space.fence();
            MPI_Allreduce(MPI_IN_PLACE, message.data, static_cast<int>(message.count), MPI_DOUBLE, MPI_SUM,
                          mpi.handle());
          }};
}

TEST(CallerGroup, AddsUpNumbersOfAllRanksThroughMessages) {
  const Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  const CallerGroup group = callers_group(mpi);
  const double ranks = group.size();
  EXPECT_EQ(group.sum(0.5 + group.rank()), ranks * 0.5 + ranks * (ranks - 1) / 2);
  const std::uint64_t large = 0xfedcba9876543210U;
  const auto rank = static_cast<std::uint64_t>(group.rank());
  EXPECT_EQ(group.minimum(large + rank), large);
  EXPECT_EQ(group.maximum(large + rank), large + static_cast<std::uint64_t>(group.size()) - 1);
  group.barrier();
  if (group.size() > 1) {
    EXPECT_THROW(group.broadcast("text", 0), std::logic_error);
  }
}

GrassOptimizerOptions small_options() {
  GrassOptimizerOptions options;
  options.grass.rank = 3;
  options.grass.selection = Selection::top_r;
  options.grass.refresh_interval = 3;
  options.grass.refresh_warmup = 2;
  options.adam.weight_decay = 0.1;
  return options;
}

/// A wide, a tall, a dense matrix and a vector; the tall one lies in rows that are further apart.
class Problem {
 public:
  static constexpr std::size_t tokens = 4;
  static constexpr double learning_rate = 0.05;

  Problem() {
    add("wide", 5, 8, true, true, 0);
    add("tall", 9, 4, true, true, 0);
    add("dense", 4, 6, false, true, 1);
    add("bias", 1, 7, false, false, 1);
  }

  const std::vector<TrainedMatrix<double>>& matrices() const { return matrices_; }
  const Dense& reference(std::size_t m) const { return references_[m].weight(); }

  /// The gradients of an update, by matrix, pass and rank, the same on all ranks.
  struct Factors {
    Dense output_gradient;
    Dense input;
  };
  std::vector<std::vector<std::vector<Factors>>> draw(int passes, int ranks) {
    std::vector<std::vector<std::vector<Factors>>> all(matrices_.size());
    for (std::size_t m = 0; m < matrices_.size(); ++m) {
      all[m].resize(static_cast<std::size_t>(passes));
      for (auto& pass : all[m])
        for (int rank = 0; rank < ranks; ++rank)
          pass.push_back({random_factor(tokens, matrices_[m].weight.extent(0), engine_),
                          random_factor(tokens, matrices_[m].weight.extent(1), engine_)});
    }
    return all;
  }

  /// The same update by the reference; one gradient for all passes where these come together.
  void update_reference(long step, const std::vector<std::vector<std::vector<Factors>>>& all, bool at_once) {
    for (std::size_t m = 0; m < matrices_.size(); ++m) {
      std::vector<Dense> passes;
      for (const auto& pass : all[m]) {
        Dense sum(matrices_[m].weight.extent(0), matrices_[m].weight.extent(1));
        for (const Factors& of_rank : pass) add_to(sum, product_of_factors(of_rank.output_gradient, of_rank.input));
        if (at_once && !passes.empty())
          add_to(passes[0], sum);
        else
          passes.push_back(sum);
      }
      const Dense compressed = references_[m].gather(step, passes);
      references_[m].update(step, compressed, learning_rate, 1.0);
    }
  }

  void expect_equal_weights(long step) const {
    for (std::size_t m = 0; m < matrices_.size(); ++m)
      for (std::size_t i = 0; i < matrices_[m].weight.extent(0); ++i)
        for (std::size_t j = 0; j < matrices_[m].weight.extent(1); ++j)
          ASSERT_NEAR(matrices_[m].weight(i, j), references_[m].weight()(i, j), 1e-11)
              << matrices_[m].name << " (" << i << ", " << j << ") after update " << step;
  }

 private:
  void add(const std::string& name, std::size_t rows, std::size_t columns, bool projected, bool decays, int message) {
    const Dense start = random_factor(rows, columns, engine_);
    const View memory("memory", rows, columns + 3);
    Kokkos::deep_copy(memory, std::numeric_limits<double>::quiet_NaN());
    const TrainedMatrix<double>::View weight =
        Kokkos::subview(memory, Kokkos::ALL, std::pair<std::size_t, std::size_t>(0, columns));
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) weight(i, j) = start(i, j);
    memory_.push_back(memory);
    matrices_.push_back({name, weight, projected, decays, message});
    ReferenceOptions options;
    options.projected = projected;
    options.rank = 3;
    options.refresh_interval = 3;
    options.refresh_warmup = 2;
    options.weight_decay = decays ? 0.1 : 0.0;
    references_.emplace_back(start, options);
  }

  std::mt19937_64 engine_{23};
  std::vector<View> memory_;
  std::vector<TrainedMatrix<double>> matrices_;
  std::vector<ReferenceParameter> references_;
};

/// One update with this rank's factors, or with the gradient that they give.
void update(GrassOptimizer<double>& optimizer, const std::vector<std::vector<std::vector<Problem::Factors>>>& all,
            int rank, bool dense) {
  const auto own = static_cast<std::size_t>(rank);
  const std::size_t passes = all[0].size();
  optimizer.begin_update(TrialSpace(), Problem::learning_rate, static_cast<int>(passes));
  for (std::size_t pass = 0; pass < passes && !dense; ++pass)
    for (std::size_t m = 0; m < all.size(); ++m)
      optimizer.accept_factors(static_cast<int>(m), to_view(all[m][pass][own].output_gradient),
                               to_view(all[m][pass][own].input));
  for (std::size_t m = 0; m < all.size() && dense; ++m) {
    Dense sum = product_of_factors(all[m][0][own].output_gradient, all[m][0][own].input);
    for (std::size_t pass = 1; pass < passes; ++pass)
      add_to(sum, product_of_factors(all[m][pass][own].output_gradient, all[m][pass][own].input));
    optimizer.accept_gradient(static_cast<int>(m), to_view(sum));
  }
  optimizer.update();
  TrialSpace().fence();
}

struct Trial {
  int passes;
  bool dense;
  bool callers_group;
};

class GrassOptimizerTrial : public ::testing::TestWithParam<Trial> {};

TEST_P(GrassOptimizerTrial, AgreesWithReference) {
  Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  CallerGroup callers = callers_group(mpi);
  ProcessGroup* const group = GetParam().callers_group ? static_cast<ProcessGroup*>(&callers) : &mpi;
  Problem problem;
  GrassOptimizer<double> optimizer(TrialSpace(), problem.matrices(), Problem::tokens, small_options(), group);
  for (long step = 0; step < 8; ++step) {
    const auto all = problem.draw(GetParam().passes, mpi.size());
    update(optimizer, all, mpi.rank(), GetParam().dense);
    problem.update_reference(step, all, GetParam().dense);
    problem.expect_equal_weights(step);
  }
  EXPECT_EQ(optimizer.updates(), 8);
}

INSTANTIATE_TEST_SUITE_P(Trials, GrassOptimizerTrial,
                         ::testing::Values(Trial{1, false, false}, Trial{2, false, true}, Trial{1, true, true},
                                           Trial{3, true, false}));

/// Weights after three updates of so many matrices, `in_a_message` to each message, and the gradients' norms.
std::vector<double> train_many(std::size_t count, std::size_t in_a_message, double clip, ProcessGroup& group) {
  constexpr std::size_t rows = 6, columns = 7;
  std::mt19937_64 engine(5);
  std::vector<View> weights;
  std::vector<TrainedMatrix<double>> matrices;
  for (std::size_t i = 0; i < count; ++i) {
    weights.push_back(to_view(random_factor(rows, columns, engine)));
    matrices.push_back({"w" + std::to_string(i), weights.back(), i % 3 != 0, true, static_cast<int>(i / in_a_message)});
  }
  GrassOptimizerOptions options = small_options();
  options.clip = clip;
  GrassOptimizer<double> optimizer(TrialSpace(), matrices, 1, options, &group);
  std::vector<double> results;
  for (int step = 0; step < 3; ++step) {
    optimizer.begin_update(TrialSpace(), 0.05);
    std::vector<View> gradients;
    for (std::size_t i = 0; i < count; ++i) gradients.push_back(to_view(random_factor(rows, columns, engine)));
    for (std::size_t i = 0; i < count; ++i) optimizer.accept_gradient(static_cast<int>(i), gradients[i]);
    if (clip > 0.0) results.push_back(optimizer.gradient_norm().norm);
    optimizer.update();
    TrialSpace().fence();
  }
  for (const View& weight : weights)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < columns; ++j) results.push_back(weight(i, j));
  return results;
}

TEST(GrassOptimizerMessages, MayHoldAnyNumberOfMatrices) {
  Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  for (const double clip : {0.0, 0.5})
    for (const std::size_t count : {16U, 17U, 37U})
      EXPECT_EQ(train_many(count, count, clip, mpi), train_many(count, 1, clip, mpi)) << count << " matrices";
}

std::vector<std::vector<std::byte>> copy_out(GrassOptimizer<double>& optimizer) {
  std::vector<std::vector<std::byte>> copies;
  for (const StateArray& array : optimizer.state()) {
    const std::size_t size = array.type == StateArray::Type::float64 || array.type == StateArray::Type::int64 ? 8 : 4;
    EXPECT_EQ(array.stride, array.columns) << array.name;
    copies.emplace_back(size * array.rows * array.columns);
    std::memcpy(copies.back().data(), array.data, copies.back().size());
  }
  return copies;
}

TEST(GrassOptimizerState, LetsAnotherOneGoOnToTheSameBits) {
  Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  Problem first;
  Problem second;
  GrassOptimizer<double> one(TrialSpace(), first.matrices(), Problem::tokens, small_options(), &mpi);
  std::vector<std::vector<std::vector<std::vector<Problem::Factors>>>> drawn;
  for (int step = 0; step < 9; ++step) drawn.push_back(first.draw(1, mpi.size()));
  for (std::size_t step = 0; step < 4; ++step) update(one, drawn[step], mpi.rank(), false);
  GrassOptimizer<double> two(TrialSpace(), second.matrices(), Problem::tokens, small_options(), &mpi);
  const auto copies = copy_out(one);
  const std::vector<StateArray> arrays = two.state();
  ASSERT_EQ(arrays.size(), copies.size());
  EXPECT_EQ(arrays[0].name, "updates");
  EXPECT_EQ(arrays[1].name, "wide/rows");
  for (std::size_t i = 0; i < arrays.size(); ++i) std::memcpy(arrays[i].data, copies[i].data(), copies[i].size());
  two.check_state();
  EXPECT_EQ(two.updates(), 4);
  for (std::size_t m = 0; m < first.matrices().size(); ++m)
    Kokkos::deep_copy(second.matrices()[m].weight, first.matrices()[m].weight);
  for (std::size_t step = 4; step < 9; ++step) {
    update(one, drawn[step], mpi.rank(), false);
    update(two, drawn[step], mpi.rank(), false);
  }
  EXPECT_EQ(copy_out(one), copy_out(two));
  for (std::size_t m = 0; m < first.matrices().size(); ++m)
    for (std::size_t i = 0; i < first.matrices()[m].weight.extent(0); ++i)
      for (std::size_t j = 0; j < first.matrices()[m].weight.extent(1); ++j)
        ASSERT_EQ(first.matrices()[m].weight(i, j), second.matrices()[m].weight(i, j));
  static_cast<int*>(arrays[1].data)[2] = 5;
  EXPECT_THROW(two.check_state(), std::runtime_error);
}

TEST(GrassOptimizerCalls, BeginAnewWhereAnUpdateIsNotMade) {
  Communicator<MpiSpace> mpi(MPI_COMM_WORLD);
  Problem first;
  Problem second;
  GrassOptimizerOptions options = small_options();
  options.grass.keep_moments = true;
  GrassOptimizer<double> one(TrialSpace(), first.matrices(), Problem::tokens, options, &mpi);
  GrassOptimizer<double> two(TrialSpace(), second.matrices(), Problem::tokens, options, &mpi);
  for (int step = 0; step < 9; ++step) {
    const auto drawn = first.draw(1, mpi.size());
    const auto left = first.draw(1, mpi.size());
    one.begin_update(TrialSpace(), 0.05);
    for (std::size_t m = 0; m < first.matrices().size(); ++m) {
      const Problem::Factors& own = left[m][0][static_cast<std::size_t>(mpi.rank())];
      one.accept_factors(static_cast<int>(m), to_view(own.output_gradient), to_view(own.input));
    }
    one.gradient_norm();
    update(one, drawn, mpi.rank(), false);
    update(two, drawn, mpi.rank(), false);
  }
  EXPECT_EQ(copy_out(one), copy_out(two));
}

TEST(GrassOptimizerCalls, NeitherAllocateNorWait) {
  Problem problem;
  GrassOptimizer<double> optimizer(TrialSpace(), problem.matrices(), Problem::tokens, small_options());
  const auto all = problem.draw(1, 1);
  std::vector<View> output_gradients;
  std::vector<View> inputs;
  for (const auto& passes : all) {
    output_gradients.push_back(to_view(passes[0][0].output_gradient));
    inputs.push_back(to_view(passes[0][0].input));
  }
  const auto update_once = [&] {
    optimizer.begin_update(TrialSpace(), 0.1);
    for (std::size_t m = 0; m < all.size(); ++m)
      optimizer.accept_factors(static_cast<int>(m), output_gradients[m], inputs[m]);
    optimizer.update();
  };
  for (int step = 0; step < 3; ++step) update_once();  // Kokkos' own scratch grows the first time
  const LaunchRecording recording;
  for (int step = 3; step < 6; ++step) update_once();
  EXPECT_GT(LaunchRecording::launches().size(), 0U);
  EXPECT_EQ(LaunchRecording::allocations(), std::vector<std::string>{});
  EXPECT_EQ(LaunchRecording::fences().size(), 0U);
}

TEST(GrassOptimizerCalls, NameWhatIsWrong) {
  Problem problem;
  const auto expect_refusal = [&](GrassOptimizerOptions options, std::vector<TrainedMatrix<double>> matrices,
                                  const std::string& part) {
    try {
      const GrassOptimizer<double> optimizer(TrialSpace(), matrices, Problem::tokens, options);
      ADD_FAILURE() << "accepted, without " << part;
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  GrassOptimizerOptions options = small_options();
  options.grass.rank = 0;
  expect_refusal(options, problem.matrices(), "grass.rank is 0");
  options = small_options();
  options.adam.beta2 = 1.0;
  expect_refusal(options, problem.matrices(), "adam.beta2");
  auto matrices = problem.matrices();
  matrices[1].name = "wide";
  expect_refusal(small_options(), matrices, "two matrices are called 'wide'");
  expect_refusal(small_options(), {}, "no matrices");

  GrassOptimizer<double> optimizer(TrialSpace(), problem.matrices(), Problem::tokens, small_options());
  const View factor("factor", Problem::tokens, 5);
  optimizer.begin_update(TrialSpace(), 0.1);
  EXPECT_THROW(optimizer.accept_factors(4, factor, factor), std::invalid_argument);
  EXPECT_THROW(optimizer.accept_factors(0, factor, factor), ExtentError);
  optimizer.begin_update(TrialSpace(), 0.1);
  const View input("input", Problem::tokens, 8);
  optimizer.accept_factors(0, factor, input);
  EXPECT_THROW(optimizer.accept_factors(0, factor, input), std::logic_error);
  EXPECT_THROW(optimizer.update(), std::logic_error);
}

}  // namespace
}  // namespace Sward::Test
