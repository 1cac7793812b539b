#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace Sward {

/// What stands at one position of a mixture.
struct MixturePlace {
  std::size_t source;   ///< number of the source that the position belongs to
  std::uint64_t place;  ///< how many earlier positions belong to that source
};

/// Deals the positions 0, 1, 2, … of one stream to sources in proportion to their weights, evenly and without chance.
///
/// With integer weights w of sum W, the first source has floor(w p / W) of the first p positions, for every p: the
/// spacing of Bresenham's line. The positions left over are numbered in turn and dealt to the other sources in the same
/// way. So every W positions, from a multiple of W on, hold each source exactly as often as its weight says, any
/// stretch of a stream of k sources misses a source's share by less than k sequences either way, and a position costs
/// O(k) operations wherever it lies.
class MixtureSchedule {
 public:
  /// Weights are taken to six decimals, at least 1e-6 and at most 1e9. Throws std::invalid_argument outside of that,
  /// and where the weights, over their greatest common divisor, add up to 2^32 or more.
  explicit MixtureSchedule(const std::vector<double>& weights);

  /// What stands at a position, from 0.
  MixturePlace at(std::uint64_t position) const;

 private:
  std::uint64_t share(std::size_t source, std::uint64_t count) const;

  std::vector<std::uint64_t> weights_;
  std::vector<std::uint64_t> rests_;  ///< sum of a source's weight and of those behind it
};

}  // namespace Sward
