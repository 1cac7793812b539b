#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>
#include <stdexcept>

#include "Sward_MixtureSchedule.hpp"
#include "Sward_TestFiles.hpp"

namespace Sward::Test {
namespace {

using testing::HasSubstr;

std::vector<std::uint64_t> counts_between(const MixtureSchedule& schedule, std::size_t sources, std::uint64_t first,
                                          std::uint64_t last) {
  std::vector<std::uint64_t> counts(sources);
  for (std::uint64_t p = first; p < last; ++p) ++counts.at(schedule.at(p).source);
  return counts;
}

std::vector<double> random_weights(std::mt19937& engine) {
  std::vector<double> weights(1 + engine() % 7);
  for (double& weight : weights) weight = static_cast<double>(1 + engine() % 40);
  return weights;
}

std::uint64_t random_position(std::mt19937& engine) { return (std::uint64_t{engine()} << 15) + engine() % 1000; }

TEST(MixtureSchedule, numbers_each_sources_positions_in_turn) {
  std::mt19937 engine(1);
  for (int trial = 0; trial < 30; ++trial) {
    const std::vector<double> weights = random_weights(engine);
    const MixtureSchedule schedule(weights);
    std::vector<std::uint64_t> next(weights.size());
    for (std::uint64_t p = 0; p < 3000; ++p) {
      const MixturePlace found = schedule.at(p);
      ASSERT_LT(found.source, weights.size());
      ASSERT_EQ(found.place, next[found.source]++) << "position " << p;
    }
    // Far out every source goes on from where it was met first.
    const std::uint64_t far = random_position(engine);
    std::vector<std::uint64_t> met(weights.size());
    for (std::uint64_t p = far; p < far + 3000; ++p) {
      const MixturePlace found = schedule.at(p);
      if (met[found.source] != 0) {
        ASSERT_EQ(found.place, met[found.source]) << "position " << p;
      }
      met[found.source] = found.place + 1;
    }
  }
}

TEST(MixtureSchedule, counts_are_exact_over_every_period) {
  std::mt19937 engine(2);
  for (int trial = 0; trial < 30; ++trial) {
    const std::vector<double> weights = random_weights(engine);
    const MixtureSchedule schedule(weights);
    const auto period = static_cast<std::uint64_t>(std::accumulate(weights.begin(), weights.end(), 0.0));
    for (const std::uint64_t start : {std::uint64_t{0}, random_position(engine) / period * period}) {
      const std::vector<std::uint64_t> counts = counts_between(schedule, weights.size(), start, start + 25 * period);
      for (std::size_t i = 0; i < weights.size(); ++i)
        EXPECT_EQ(counts[i], 25 * static_cast<std::uint64_t>(weights[i])) << "source " << i;
    }
  }
}

TEST(MixtureSchedule, any_stretch_has_nearly_its_share) {
  std::mt19937 engine(3);
  for (int trial = 0; trial < 300; ++trial) {
    const std::vector<double> weights = random_weights(engine);
    const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
    const MixtureSchedule schedule(weights);
    const std::uint64_t start = random_position(engine);
    const std::uint64_t length = 1 + engine() % 200;
    const std::vector<std::uint64_t> counts = counts_between(schedule, weights.size(), start, start + length);
    // Less than as many as there are sources, as the header proves; one source has it all.
    const double bound = static_cast<double>(weights.size()) - (weights.size() == 1 ? 1.0 : 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i)
      EXPECT_LE(std::abs(static_cast<double>(counts[i]) - static_cast<double>(length) * weights[i] / sum), bound);
  }
}

TEST(MixtureSchedule, takes_decimal_fractions_for_what_they_mean) {
  const MixtureSchedule decimal({0.7, 0.2, 0.1});
  const MixtureSchedule whole({7, 2, 1});
  const MixtureSchedule thousands({7e6, 2e6, 1e6});
  for (std::uint64_t p = 0; p < 2000; ++p) {
    EXPECT_EQ(decimal.at(p).source, whole.at(p).source);
    EXPECT_EQ(decimal.at(p).place, whole.at(p).place);
    EXPECT_EQ(thousands.at(p).source, whole.at(p).source);
  }
  EXPECT_EQ(counts_between(decimal, 3, 0, 1'000'000), (std::vector<std::uint64_t>{700'000, 200'000, 100'000}));
}

TEST(MixtureSchedule, does_not_change_between_versions) {
  // A resumed run has to meet the mixture that the interrupted one had.
  const MixtureSchedule schedule({3, 2, 1});
  std::string sources;
  for (std::uint64_t p = 0; p < 12; ++p) sources += static_cast<char>('a' + schedule.at(p).source);
  // The odd positions are a's, and of three others the first is c's.
  EXPECT_EQ(sources, "cababacababa");
}

TEST(MixtureSchedule, one_source_has_every_position) {
  const MixtureSchedule schedule({0.25});
  for (const std::uint64_t p : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{1} << 60}) {
    EXPECT_EQ(schedule.at(p).source, 0U);
    EXPECT_EQ(schedule.at(p).place, p);
  }
}

TEST(MixtureSchedule, refuses_weights_that_cannot_be_mixed) {
  EXPECT_THROW(MixtureSchedule({}), std::invalid_argument);
  for (const double bad : {0.0, -1.0, 1e-7, 2e9, std::nan(""), HUGE_VAL})
    EXPECT_THROW(MixtureSchedule({1.0, bad}), std::invalid_argument) << bad;
  EXPECT_THAT(message_of<std::invalid_argument>([] { MixtureSchedule({1e-6, 1e9}); }), HasSubstr("too far apart"));
  EXPECT_NO_THROW(MixtureSchedule({1e-6, 4294.0}));
  EXPECT_THROW(MixtureSchedule({1e-6, 4295.0}), std::invalid_argument);
}

}  // namespace
}  // namespace Sward::Test
