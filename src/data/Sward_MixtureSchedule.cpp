#include "Sward_MixtureSchedule.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace Sward {
namespace {

constexpr double units = 1e6;

std::vector<std::uint64_t> integer_weights(const std::vector<double>& weights) {
  std::vector<std::uint64_t> integers;
  std::uint64_t divisor = 0;
  for (const double weight : weights) {
    if (!(weight >= 1e-6 && weight <= 1e9)) throw std::invalid_argument("has a weight that is not in 1e-6 to 1e9");
    integers.push_back(static_cast<std::uint64_t>(std::llround(weight * units)));
    divisor = std::gcd(divisor, integers.back());
  }
  for (std::uint64_t& integer : integers) integer /= divisor;
  return integers;
}

}  // namespace

MixtureSchedule::MixtureSchedule(const std::vector<double>& weights)
    : weights_(integer_weights(weights)), rests_(weights_.size()) {
  if (weights.empty()) throw std::invalid_argument("has no sources to mix");
  std::uint64_t rest = 0;
  for (std::size_t source = weights_.size(); source-- > 0;) {
    rests_[source] = rest += weights_[source];
    // Products of a weight and a remainder have to fit into 64 bits.
    if (weights_[source] > std::numeric_limits<std::uint32_t>::max() ||
        rest > std::numeric_limits<std::uint32_t>::max()) {
      throw std::invalid_argument("has weights too far apart: give them fewer digits");
    }
  }
}

/// Of the first `count` positions that the sources before this one leave over, those that belong to it.
std::uint64_t MixtureSchedule::share(std::size_t source, std::uint64_t count) const {
  const std::uint64_t rest = rests_[source];
  return count / rest * weights_[source] + count % rest * weights_[source] / rest;
}

MixturePlace MixtureSchedule::at(std::uint64_t position) const {
  for (std::size_t source = 0; source + 1 < weights_.size(); ++source) {
    const std::uint64_t earlier = share(source, position);
    if (share(source, position + 1) > earlier) return {source, earlier};
    position -= earlier;
  }
  return {weights_.size() - 1, position};
}

}  // namespace Sward
