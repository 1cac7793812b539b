#include "Sward_Schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace Sward {

double scheduled_learning_rate(const ScheduleOptions& schedule, double base, std::int64_t step) {
  const auto now = static_cast<double>(step);
  const auto warmup = static_cast<double>(schedule.warmup_steps);
  double factor = 1.0;
  if (schedule.shape == ScheduleOptions::Shape::cosine) {
    const double length = std::max(1.0, static_cast<double>(schedule.steps) - warmup);
    const double progress = std::clamp((now - warmup) / length, 0.0, 1.0);
    factor =
        schedule.final_fraction + (1.0 - schedule.final_fraction) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  }
  if (schedule.warmup_steps > 0) factor = std::min((now + 1.0) / warmup, factor);
  return base * factor;
}

}  // namespace Sward
