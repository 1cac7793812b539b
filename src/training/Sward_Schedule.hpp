#pragma once

#include <cstdint>

#include "Sward_Configuration.hpp"

namespace Sward {

/// Learning rate of update `step` (from 0): base · min((step+1)/warmup, shape(step)), where the cosine falls from 1 at
/// the end of the warm-up to the final fraction after the last step.
double scheduled_learning_rate(const ScheduleOptions& schedule, double base, std::int64_t step);

}  // namespace Sward
