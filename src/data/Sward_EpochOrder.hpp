#pragma once

#include <cstdint>
#include <vector>

namespace Sward {

/// How the sequences of an epoch follow each other.
enum class SequenceOrder { sequential, shuffled };

/// The order in which the sequences of one file come: epoch after epoch, shuffled anew in each or from the front. It
/// depends on the arguments alone, so that any place of it can be asked for at any time.
class EpochOrder {
 public:
  /// An epoch takes `epoch_length` (1 to count) of the file's `count` sequences. `file` sets files with one seed apart.
  EpochOrder(std::uint64_t count, std::uint64_t epoch_length, SequenceOrder order, std::uint64_t seed,
             std::uint32_t file);

  /// Index in the file of the sequence that comes after `place` others.
  std::uint64_t index(std::uint64_t place);

 private:
  std::uint64_t count_;
  std::uint64_t epoch_length_;
  SequenceOrder order_;
  std::uint64_t seed_;
  std::uint32_t file_;
  std::uint64_t shuffled_epoch_ = 0;
  std::vector<std::uint32_t> permutation_;
};

/// The numbers 0 to count - 1 in an order that depends on seed, epoch and file alone (Fisher-Yates, with draws from
/// Random123's Philox). Throws std::invalid_argument for more than 2^32 - 1 of them.
std::vector<std::uint32_t> shuffled_indices(std::uint64_t count, std::uint64_t seed, std::uint64_t epoch,
                                            std::uint32_t file = 0);

}  // namespace Sward
