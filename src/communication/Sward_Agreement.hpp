#pragma once

#include <string>
#include <utility>
#include <vector>

#include "Sward_ProcessGroup.hpp"

namespace Sward {

/// What has to be the same on all ranks: a name, such as a configuration key, and its value as text.
using Fact = std::pair<std::string, std::string>;
using Facts = std::vector<Fact>;

/// Collective. Throws InputError on every rank, with the first name that differs and both values, unless all ranks
/// have the facts of rank 0.
void check_agreement(const ProcessGroup& group, const Facts& facts);

}  // namespace Sward
