#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "Sward_Schedule.hpp"

namespace Sward::Test {
namespace {

using Shape = ScheduleOptions::Shape;

/// η · min((s+1)/w, shape(s)); the cosine is 1 at w and f at S.
double reference(double base, double step, double steps, double warmup, bool cosine, double fraction) {
  double shape = 1.0;
  if (cosine && step >= warmup) {
    const double angle = std::acos(-1.0) * (step - warmup) / (steps - warmup);
    shape = fraction + (1.0 - fraction) * (1.0 + std::cos(angle)) / 2.0;
  }
  if (step + 1.0 < warmup * shape) return base * (step + 1.0) / warmup;
  return base * shape;
}

TEST(Schedule, is_the_documented_formula) {
  for (const bool cosine : {false, true}) {
    for (const std::int64_t warmup : {0, 1, 7, 50}) {
      const ScheduleOptions schedule{60, warmup, cosine ? Shape::cosine : Shape::constant, 0.25};
      for (std::int64_t step = 0; step < 60; ++step)
        EXPECT_NEAR(scheduled_learning_rate(schedule, 0.02, step),
                    reference(0.02, static_cast<double>(step), 60.0, static_cast<double>(warmup), cosine, 0.25), 1e-15)
            << "step " << step << ", warm-up " << warmup << ", cosine " << cosine;
    }
  }
}

TEST(Schedule, warms_up_in_equal_steps_from_the_first_update) {
  const ScheduleOptions schedule{100, 4, Shape::constant, 0.1};
  const std::vector<double> wanted{0.25, 0.5, 0.75, 1.0, 1.0, 1.0};
  for (std::size_t step = 0; step < wanted.size(); ++step)
    EXPECT_DOUBLE_EQ(scheduled_learning_rate(schedule, 1.0, static_cast<std::int64_t>(step)), wanted[step]);
}

TEST(Schedule, cosine_falls_from_one_to_the_final_fraction) {
  const ScheduleOptions schedule{110, 10, Shape::cosine, 0.1};
  EXPECT_DOUBLE_EQ(scheduled_learning_rate(schedule, 2.0, 10), 2.0);
  EXPECT_NEAR(scheduled_learning_rate(schedule, 2.0, 60), 2.0 * 0.55, 1e-14);
  EXPECT_NEAR(scheduled_learning_rate(schedule, 2.0, 110), 2.0 * 0.1, 1e-14);
  for (std::int64_t step = 10; step < 110; ++step)
    EXPECT_GT(scheduled_learning_rate(schedule, 2.0, step), scheduled_learning_rate(schedule, 2.0, step + 1));
  EXPECT_LT(scheduled_learning_rate(schedule, 2.0, 109), 2.0 * 0.101);
}

TEST(Schedule, stays_at_the_base_rate_when_constant_without_warm_up) {
  const ScheduleOptions schedule{10, 0, Shape::constant, 0.1};
  for (std::int64_t step = 0; step < 10; ++step) EXPECT_EQ(scheduled_learning_rate(schedule, 0.3, step), 0.3);
}

TEST(Schedule, starts_at_the_base_rate_without_warm_up) {
  EXPECT_EQ(scheduled_learning_rate({10, 0, Shape::cosine, 0.1}, 0.3, 0), 0.3);
}

TEST(Schedule, may_be_warm_up_alone) {
  const ScheduleOptions schedule{5, 5, Shape::cosine, 0.1};
  for (std::int64_t step = 0; step < 5; ++step)
    EXPECT_DOUBLE_EQ(scheduled_learning_rate(schedule, 1.0, step), static_cast<double>(step + 1) / 5.0);
}

TEST(Schedule, may_end_inside_the_warm_up) {
  const ScheduleOptions schedule{5, 20, Shape::cosine, 0.1};
  for (std::int64_t step = 0; step < 5; ++step)
    EXPECT_DOUBLE_EQ(scheduled_learning_rate(schedule, 1.0, step), static_cast<double>(step + 1) / 20.0);
}

TEST(Schedule, may_end_at_zero_or_not_fall_at_all) {
  EXPECT_NEAR(scheduled_learning_rate({20, 0, Shape::cosine, 0.0}, 1.0, 20), 0.0, 1e-15);
  EXPECT_DOUBLE_EQ(scheduled_learning_rate({20, 0, Shape::cosine, 1.0}, 1.0, 13), 1.0);
}

}  // namespace
}  // namespace Sward::Test
